/** Which units react to what is marked in a text: by hand, or by a rule. */

import { byId, el, on } from "./dom.js";
import { number, t } from "./i18n.js";
import { table } from "./table.js";

const TOP = 12;
const BY_HAND = "";
const RULES = ["line_start", "line_end", "capitals", "quotes", "speaker", "first_line", "column", "line"];
const COUNTING = ["column", "line"];

export class Units {
	/** Of the last search. */
	found = [];
	#answer = null;
	/** Tokens. */
	#marked = new Set();
	#before = new Set();

	constructor(view, onChoose) {
		Object.assign(this, { view, onChoose });
		const options = [BY_HAND, ...RULES].map((rule) => el("option", { value: rule, "data-t": `in.mark.${rule || "hand"}` }));
		byId("in-mark").replaceChildren(...options);
		on("in-unmark", "click", () => this.forget());
		document.addEventListener("selectionchange", () => this.#selected());
	}

	/** Nothing is marked or found. */
	forget() {
		[this.found, this.#answer] = [[], null];
		this.#before.clear();
		getSelection().removeAllRanges();
		this.#mark(new Set());
		this.show();
	}

	/** Ask the server, and list what it finds. */
	async find(api, { model, text, starts }) {
		const rule = byId("in-mark").value;
		const counts = COUNTING.includes(rule);
		const score = counts ? "correlation" : byId("in-score").value;
		const marks = rule === BY_HAND ? { spans: this.#spans(starts) } : { detector: rule };
		if (marks.spans?.length === 0) throw new Error(t("in.nothing"));
		const answer = await api.post("inspect/units", { model, text, score, top: TOP, ...marks });
		this.#answer = { ...answer, score: counts ? "counting" : score };
		this.found = answer.units;
		this.show();
	}

	show() {
		const answer = this.#answer;
		byId("in-units").replaceChildren(...(answer ? list(answer, this.onChoose) : []));
	}

	/** What is selected is marked; what is selected next, too. */
	#selected() {
		const selected = this.view.selected;
		if (!selected) this.#before = this.#marked;
		else if (selected.length) this.#mark(new Set([...this.#before, ...selected]));
	}

	#mark(marked) {
		for (const index of this.#marked) if (!marked.has(index)) this.view.spanAt(index)?.classList.remove("marked");
		for (const index of marked) this.view.spanAt(index)?.classList.add("marked");
		if (marked.size) byId("in-mark").value = BY_HAND;
		this.#marked = marked;
		byId("in-unmark").hidden = !marked.size;
	}

	/** Runs of marked tokens, in code points. */
	#spans(starts) {
		const spans = [];
		for (const index of [...this.#marked].sort((a, b) => a - b)) {
			const [start, end] = [starts[index], starts[index + 1]];
			if (spans.at(-1)?.[1] === start) spans.at(-1)[1] = end;
			else spans.push([start, end]);
		}
		return spans;
	}
}

function list({ units, score, num_marked, num_tokens }, onChoose) {
	const rows = units.map(({ activation, unit, score: size, mean_inside: inside, mean_outside: outside }) => [
		el("button", { class: "quiet", text: `${activation}.${unit}`, on: { click: () => onChoose(activation, unit) } }),
		...[size, inside, outside].map((value) => (value === null ? "–" : number(value, 2))),
	]);
	return [
		el("p", { class: "hint", role: "status", text: t("in.found", { score: t(`in.${score}`), marked: number(num_marked), tokens: number(num_tokens) }) }),
		table(["in.unit", "in.score", "in.inside", "in.outside"], rows),
	];
}
