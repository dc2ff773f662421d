// Runs SQL in DuckDB: the comparison of make bench.
//
//   duckdb.mjs DATABASE load CSV            makes the table orders of a file
//   duckdb.mjs DATABASE THREADS RUNS SQL    prints the milliseconds of each of
//                                           RUNS runs, after one that only warms
//   duckdb.mjs DATABASE version
import { createRequire } from 'node:module';
import { join } from 'node:path';

// The package lies in the directory that the caller works in.
const require = createRequire(join(process.cwd(), 'package.json'));
const { DuckDBInstance } = require('@duckdb/node-api');

const [database, what, ...rest] = process.argv.slice(2);
const threads = /^\d+$/.test(what) ? what : '2';
const instance = await DuckDBInstance.create(database, { threads });
const connection = await instance.connect();

if (what === 'version') {
	const reader = await connection.runAndReadAll('SELECT version()');
	console.log(reader.getRows()[0][0]);
} else if (what === 'load') {
	await connection.run(`CREATE TABLE orders AS SELECT * FROM read_csv('${rest[0]}', header = false,
		columns = {customer_id: 'BIGINT', ordered_at: 'TIMESTAMP', total: 'DECIMAL(10,2)'})`);
	await connection.run('CHECKPOINT');
} else {
	const [runs, sql] = rest;
	await connection.runAndReadAll(sql);
	for (let run = 0; run < Number(runs); run++) {
		const start = process.hrtime.bigint();
		await connection.runAndReadAll(sql);
		console.log(Number(process.hrtime.bigint() - start) / 1e6);
	}
}
connection.closeSync();
