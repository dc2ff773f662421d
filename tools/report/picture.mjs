// Draws Vega-Lite specifications as SVG, without a browser.
import * as vega from 'vega';
import { compile } from 'vega-lite';

// Widths of the characters from blank to tilde in Helvetica, in thousandths of
// the font size (Adobe's font metrics); Arial and Liberation Sans have the same.
const widths = [
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584];

// Chinese, Japanese and Korean characters are as wide as high; others that the
// table has not are taken as wide as a usual letter.
function characterWidth(character) {
	const code = character.codePointAt(0);
	return widths[code - 32] ?? (code >= 0x1100 ? 1000 : 600);
}

// Vega measures texts with a canvas, which there is none of here, and would
// otherwise take all characters as equally wide.
vega.textMetrics.width = (item, text) => {
	const size = item.fontSize ?? 11;
	const weight = item.fontWeight === 'bold' || item.fontWeight >= 600 ? 1.07 : 1;
	let sum = 0;
	for (const character of String(text ?? ''))
		sum += characterWidth(character);
	return sum * size * weight / 1000;
};

// What the compiler and Vega have to say is an error here: a chart of the
// catalog must be right as it is.
function listener(messages) {
	const hear = (...words) => { messages.push(words.join(' ')); return logger; };
	const pass = () => logger;
	const logger = { level: pass, error: hear, warn: hear, info: pass, debug: pass };
	return logger;
}

export async function draw(spec) {
	const messages = [];
	const logger = listener(messages);
	const { config, ...rest } = spec;
	// the picture as a whole is described, not each of its marks
	const compiled = compile({ ...rest, config: { ...config, aria: false } }, { logger }).spec;
	const view = new vega.View(vega.parse(compiled), { renderer: 'none', logger });
	const locale = config?.locale;
	if (locale)
		view.locale(vega.locale(locale.number, locale.time));
	const svg = await view.toSVG();
	view.finalize();
	if (messages.length > 0)
		throw new Error(`chart ${spec.usermeta?.segment?.chart ?? ''}: ${messages.join('; ')}`);
	// a hundredth of a pixel is enough, and the description stands beside the picture
	return svg.replace(/ (?:role|aria-[a-z]+)="[^"]*"/g, '').replace(/ (?:d|transform)="[^"]*"/g, (attribute) => attribute.replace(/(\.\d\d)\d+/g, '$1'));
}
