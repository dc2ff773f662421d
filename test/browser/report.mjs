// The report and its charts in a real browser: every chart is there and whole,
// in both languages, by day and by night, on paper and for who listens.
//
// Run by tools/check.sh on its throw-away server (suite "browser"): CHROMIUM is
// the browser.  Speaks TAP.  Pictures of what it saw are left in artifacts/.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import axe from 'axe-core';
import * as vega5 from 'vega';
import * as lite5 from 'vega-lite';

const tree = fileURLToPath(new URL('../../', import.meta.url));
const { draw } = await import(join(tree, 'tools/report/picture.mjs'));
const artifacts = join(tree, 'artifacts');
mkdirSync(artifacts, { recursive: true });
const place = mkdtempSync(join(tmpdir(), 'segment-browser-'));
const database = `browser_${process.pid}`;

let tests = 0;
let failures = 0;
function ok(condition, name, ...details) {
	tests += 1;
	if (!condition)
		failures += 1;
	console.log(`${condition ? 'ok' : 'not ok'} ${tests} - ${name}`);
	if (!condition)
		details.flat().slice(0, 8).forEach((detail) => console.log(`# ${typeof detail === 'string' ? detail : JSON.stringify(detail)}`));
}
const none = (found, name) => ok(found.length === 0, name, found);

function psql(sql, to = database) {
	return execFileSync('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', to, '-c', sql],
		{ encoding: 'utf8', maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
function report(file, ...options) {
	execFileSync(join(tree, 'tools/report/segment-report'), ['--dbname', database, '--portfolio', 'shop', '--output', join(place, file), ...options],
		{ stdio: ['ignore', 'ignore', 'inherit'] });
	return join(place, file);
}

// ---------- the shop of the demo ----------

psql(`CREATE DATABASE ${database}`, 'postgres');
execFileSync('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', database, '-f', join(tree, 'demo/shop.sql')]);
psql('CREATE EXTENSION segment');
psql(`SELECT segment.create_portfolio('shop', 'SELECT customer_id, ordered_at, total FROM orders', timezone => 'UTC', settings => '{"margin": 0.3}');
	SELECT segment.create_cluster_scheme('shop', 'kinds', '{orders,net,days_since_last}', 4, transform => 'log');
	UPDATE shop.scheme_class SET owner = CASE WHEN class_rank < 4 THEN 'Ada' ELSE 'Ben' END WHERE scheme = 'next_step';
	SELECT segment.take_snapshot('shop', d::date) FROM unnest('{2023-12-31,2024-06-30,2024-12-31}'::date[]) AS d`);
const specs = (portfolio, options) => psql(`SELECT jsonb_agg(segment.chart('${portfolio}', c.chart, '${JSON.stringify(options)}') ORDER BY c.place) FROM ${portfolio}.chart AS c`);

// ---------- both versions of Vega-Lite ----------

psql(`CREATE TABLE sale AS SELECT n % 90 AS customer, date '2023-01-01' + n * 7 % 600 AS at, 10 + n AS amount FROM generate_series(1, 500) AS n;
	SELECT segment.create_portfolio('classes', 'SELECT * FROM sale'), segment.create_portfolio('none', 'SELECT * FROM sale WHERE false'),
		segment.create_portfolio('one', 'SELECT * FROM sale LIMIT 1'), segment.create_portfolio('three', 'SELECT * FROM sale LIMIT 3'),
		segment.create_portfolio('zero', 'SELECT customer, at, amount * (customer % 3 - 1) AS amount FROM sale WHERE customer < 3'),
		segment.create_portfolio('free', 'SELECT customer, at, 0 AS amount FROM sale');
	SELECT segment.create_scheme('classes', 'forty', (SELECT jsonb_agg(jsonb_build_object('class', 'c' || n, 'label_zh', '很长的客户群名称' || n)
		|| CASE WHEN n < 40 THEN jsonb_build_object('rule', 'net > ' || 1640 - 10 * n) ELSE '{}' END ORDER BY n) FROM generate_series(1, 40) AS n));
	SELECT segment.take_snapshot('classes')`);
for (const [portfolio, options] of [['shop', {}], ['shop', { language: 'zh' }], ['shop', { locale: 'de' }], ['classes', { scheme: 'forty', language: 'zh' }], ['shop', { names: false, usable: false }],
	['none', {}], ['one', {}], ['three', {}], ['zero', {}], ['free', {}]]) {
	const complaints = [];
	const logger = { level() { return this; }, info() { return this; }, debug() { return this; }, warn(...words) { complaints.push(words.join(' ')); return this; }, error(...words) { complaints.push(words.join(' ')); return this; } };
	for (const spec of JSON.parse(specs(portfolio, { ...options, vega_lite: 5 }))) {
		try {
			const view = new vega5.View(vega5.parse(lite5.compile(spec, { logger }).spec), { renderer: 'none', logger });
			await view.runAsync();
			view.finalize();
		} catch (error) {
			complaints.push(`${spec.usermeta.segment.chart}: ${error.message}`);
		}
	}
	none(complaints, `Vega-Lite ${lite5.version} draws ${portfolio} ${JSON.stringify(options)} without a word`);
	// picture.mjs takes a warning as an error
	const words = [];
	for (const spec of JSON.parse(specs(portfolio, { ...options, vega_lite: 6 })))
		await draw(spec).catch((error) => words.push(error.message));
	none(words, `so does version 6`);
}

// ---------- pages ----------

const pages = { en: report('en.html'), zh: report('zh.html', '--language', 'zh'), interactive: report('interactive.html', '--interactive') };
ok(readFileSync(pages.en).equals(readFileSync(report('again.html'))), 'two runs give the same bytes');
for (const language of ['en', 'zh'])
	ok(statSync(pages[language]).size <= 400000, `the page in ${language} has at most 400 kB`, `${statSync(pages[language]).size} bytes`);
ok(!/<script/.test(readFileSync(pages.en, 'utf8')), 'and no script');
ok(!/list_best/.test(readFileSync(report('private.html', '--no-names'), 'utf8')), 'without names there are no lists of customers');
// As segment.report alone writes it, with the library beside it.
for (const name of ['vega', 'vega-lite'])
	copyFileSync(join(tree, `tools/report/node_modules/${name}/build/${name}.min.js`), join(place, `${name}.min.js`));
pages.sql = join(place, 'sql.html');
writeFileSync(pages.sql, psql(`SELECT segment.report('shop', '${pathToFileURL(place)}', '{"vega_lite": 6}')`));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--allow-file-access-from-files'] });
async function open(file, options = {}) {
	// far from Greenwich: days must not become those before
	const context = await browser.newContext({ viewport: { width: 1000, height: 900 }, timezoneId: 'America/Los_Angeles', ...options });
	const page = await context.newPage();
	const said = [];
	const asked = [];
	page.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()));
	page.on('pageerror', (error) => said.push(error.message));
	page.on('request', (request) => asked.push(request.url()));
	await page.goto(pathToFileURL(file).href);
	await page.waitForFunction(() => [...document.querySelectorAll('figure .picture')].every((picture) => picture.querySelector('svg')));
	return { page, said, asked, close: () => context.close() };
}

// How many marks stand for the rows of a chart; of the others each row has one.
const marks = { whale: ['.mark-area path', () => 1], leaky_bucket: ['.mark-rect.role-mark path', (rows) => rows * 3 / 4], churn_rate: ['.mark-symbol.role-mark path', (rows) => rows],
	at_risk: ['.mark-symbol.role-mark path', (rows) => rows] };
const rows = Object.fromEntries(JSON.parse(specs('shop', {})).map((spec) => [spec.usermeta.segment.chart, spec.usermeta.segment.rows]));

// Texts that are not whole, that lie on each other, or that only a computer reads.
const badTexts = () => [...document.querySelectorAll('figure')].flatMap((figure) => {
	const frame = figure.querySelector('svg').getBoundingClientRect();
	const texts = [...figure.querySelectorAll('svg text')].filter((text) => text.textContent !== '' && getComputedStyle(text).opacity !== '0');
	const boxes = texts.map((text) => text.getBoundingClientRect());
	const bad = texts.filter((text, i) => boxes[i].left < frame.left - 1 || boxes[i].right > frame.right + 1 || boxes[i].top < frame.top - 1 || boxes[i].bottom > frame.bottom + 1
		|| /…|\de[+-]?\d|NaN|undefined|null/.test(text.textContent)).map((text) => `${figure.id}: "${text.textContent}" is cut off or not for people`);
	const upright = texts.map((text, i) => [text, boxes[i]]).filter(([text]) => !/rotate\((?!0)/.test(text.getAttribute('transform') ?? '') && text.closest('.role-axis-label, .role-legend-label, .role-axis-title, .role-title'));
	upright.forEach(([one, a], i) => upright.slice(i + 1).forEach(([other, b]) => {
		if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3)
			bad.push(`${figure.id}: "${one.textContent}" and "${other.textContent}" overlap`);
	}));
	return bad;
});
// Contrast of the texts of axes with the page, as the eye sees it (WCAG).
const faintTexts = () => {
	const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	const light = (color) => channels(color).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const page = light(getComputedStyle(document.body).backgroundColor);
	return [...document.querySelectorAll('.role-axis-label text, .role-legend-label text, .role-axis-title text')].filter((text) => {
		const ink = light(getComputedStyle(text).fill);
		return (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05) < 4.5;
	}).map((text) => `${text.closest('figure').id}: "${text.textContent}" in ${getComputedStyle(text).fill}`);
};

for (const [name, file] of Object.entries(pages)) {
	const { page, said, asked, close } = await open(file);
	none(said, `${name}: nothing on the console`);
	none(asked.filter((url) => !url.startsWith('file://') && !url.startsWith('data:')), `${name}: no request leaves the page`);
	if (name !== 'sql')
		ok(asked.length === 1, `${name}: it is one file`, asked);
	const figures = await page.$$eval('figure', (all) => all.map((figure) => figure.id.replace('chart_', '')));
	ok(figures.join() === Object.keys(rows).filter((chart) => rows[chart] > 0).join(), `${name}: all charts that have something to draw`, figures.join());
	const wrong = [];
	for (const chart of figures) {
		const [selector, count] = marks[chart] ?? ['.mark-rect.role-mark path', (n) => n];
		const found = await page.locator(`#chart_${chart} svg ${selector}`).count();
		const box = await page.locator(`#chart_${chart} svg`).boundingBox();
		if (found !== count(rows[chart]) || box.width < 200 || box.height < 100)
			wrong.push(`${chart}: ${found} marks for ${rows[chart]} rows, ${box.width} x ${box.height}`);
	}
	none(wrong, `${name}: a mark for each row`);
	none(await page.evaluate(badTexts), `${name}: texts are whole and apart`);
	if (name === 'en' || name === 'zh') {
		for (const chart of figures)
			await page.locator(`#chart_${chart}`).screenshot({ path: join(artifacts, `${chart}.${name}.png`) });
		if (name === 'zh')
			await page.screenshot({ path: join(artifacts, 'report.zh.png'), fullPage: true });
		const pdf = await page.pdf({ path: join(artifacts, `report.${name}.pdf`), format: 'A4', margin: { top: '15mm', bottom: '15mm', left: '15mm', right: '15mm' } });
		const count = pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
		// a first page, then each of the four parts begins a new one
		ok(count >= 5 && count <= 14, `${name}: printed on pages`, `${count} pages`);
	}
	for (const colorScheme of ['light', 'dark']) {
		await page.emulateMedia({ colorScheme });
		none(await page.evaluate(faintTexts), `${name}: texts of charts can be read, ${colorScheme}`);
		// axe takes its time; the pages differ in their texts alone
		if (!(name === 'en' || name === 'zh' && colorScheme === 'light'))
			continue;
		await page.evaluate(axe.source);
		const { violations } = await page.evaluate(() => globalThis.axe.run());
		none(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 150)}`), `${name}: axe finds no serious fault, ${colorScheme}`);
		if (name === 'en' && colorScheme === 'dark')
			await page.screenshot({ path: join(artifacts, 'report.dark.png'), fullPage: true });
	}
	await close();
}

// The same months, wherever the reader is.
async function months(file, timezoneId) {
	const { page, close } = await open(file, { timezoneId });
	const found = await page.$$eval('#chart_leaky_bucket .role-axis-label text, #chart_churn_rate .role-axis-label text', (all) => all.map((text) => text.textContent).join());
	await close();
	return found;
}
ok(await months(pages.interactive, 'America/Los_Angeles') === await months(pages.interactive, 'Asia/Shanghai'), 'months do not depend on where the reader is');
{
	const { page, close } = await open(pages.en, { viewport: { width: 380, height: 800 } });
	const width = await page.evaluate(() => document.documentElement.scrollWidth);
	ok(width <= 380, 'a telephone need not scroll sideways', `${width} pixels`);
	await close();
}

await browser.close();
psql(`DROP DATABASE ${database}`, 'postgres');
rmSync(place, { recursive: true });
console.log(`1..${tests}`);
process.exit(failures > 0 ? 1 : 0);
