// Reads a page that segment.report wrote and writes it with its charts:
// as pictures, or, with --interactive, with the library that draws them.
import { readFileSync } from 'node:fs';

const page = readFileSync(0, 'utf8');
// segment.report writes "<" inside of JSON as \u003c, so that none is in between.
const chart = /(<div class="picture"[^>]*>)[^<]*(<\/div>)<script type="application\/json" class="chart">([^<]*)<\/script>/g;

async function pictures() {
	const { draw } = await import('./picture.mjs');
	const found = [...page.matchAll(chart)];
	const drawn = await Promise.all(found.map(async ([, open, close, json]) => {
		const spec = JSON.parse(json);
		const name = spec.usermeta.segment.chart;
		// names inside of a picture are names of the page
		const svg = (await draw(spec)).replace(/\b(id="|url\(#|href="#)/g, `$1${name}_`);
		return open + svg + close;
	}));
	let next = 0;
	return page.replace(chart, () => drawn[next++]);
}

function interactive() {
	return page.replace(/<script src="[^"]*\/(vega|vega-lite)\.min\.js"> <\/script>/g, (_, name) =>
		// what would end the script is written in another way
		`<script>${readFileSync(new URL(`node_modules/${name}/build/${name}.min.js`, import.meta.url), 'utf8').replaceAll('</script', '<\\/script')}</script>`);
}

process.stdout.write(process.argv[2] === '--interactive' ? interactive() : await pictures());
