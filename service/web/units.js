/** Which units react to what is marked in a text: by hand, or by a rule. */

import { byId, el, on } from "./dom.js"
import { number, t } from "./i18n.js"
import { table } from "./table.js"

const TOP = 12
const BY_HAND = "hand"
const RULES = ["line_start", "line_end", "capitals", "quotes", "speaker", "first_line", "column", "line"]
/** What they find is no mark but a number. */
const COUNTING = ["column", "line"]

export class Units {
	found = []
	#answer = null
	/** Tokens, and those that were before the selection that is being made. */
	#marked = new Set()
	#before = new Set()

	constructor(view, onChoose) {
		Object.assign(this, { view, onChoose })
		byId("in-mark").replaceChildren(...[BY_HAND, ...RULES].map((rule) => el("option", { value: rule, "data-t": `in.mark.${rule}` })))
		on("in-unmark", "click", () => this.forget())
		document.addEventListener("selectionchange", () => this.#selected())
	}

	/** Nothing is marked or found. */
	forget() {
		this.found = []
		this.#answer = null
		this.#before.clear()
		getSelection().removeAllRanges()
		this.#mark(new Set())
		this.show()
	}

	async find(api, { model, text, starts }) {
		const rule = byId("in-mark").value
		const counts = COUNTING.includes(rule)
		const score = counts ? "correlation" : byId("in-score").value
		const mark = rule === BY_HAND ? { spans: this.#spans(starts) } : { detector: rule }
		if (mark.spans?.length === 0) throw new Error(t("in.nothing"))
		const answer = await api.post("inspect/units", { model, text, score, top: TOP, ...mark })
		this.#answer = { ...answer, score: counts ? "counting" : score }
		this.found = answer.units
		this.show()
	}

	show() {
		const answer = this.#answer
		byId("in-units").replaceChildren(...(answer ? list(answer, this.onChoose) : []))
	}

	/** What is selected is marked; what is selected next, too. */
	#selected() {
		const selected = this.view.selected
		if (!selected) this.#before = this.#marked
		else if (selected.length) this.#mark(new Set([...this.#before, ...selected]))
	}

	#mark(marked) {
		for (const index of [...this.#marked, ...marked]) this.view.spanAt(index)?.classList.toggle("marked", marked.has(index))
		if (marked.size) byId("in-mark").value = BY_HAND
		this.#marked = marked
		byId("in-unmark").hidden = !marked.size
	}

	#spans(starts) {
		const spans = []
		for (const index of [...this.#marked].sort((a, b) => a - b)) {
			const [start, end] = [starts[index], starts[index + 1]]
			if (spans.at(-1)?.[1] === start) spans.at(-1)[1] = end
			else spans.push([start, end])
		}
		return spans
	}
}

function list({ units, score, num_marked: marked, num_tokens: tokens }, onChoose) {
	const rows = units.map(({ activation, unit, ...figures }) => [
		el("button", { class: "quiet", text: `${activation}.${unit}`, on: { click: () => onChoose(activation, unit) } }),
		...[figures.score, figures.mean_inside, figures.mean_outside].filter((value) => value !== null).map((value) => number(value, 2)),
	])
	return [
		el("p", { class: "hint", role: "status", text: t("in.found", { score: t(`in.${score}`), marked, tokens }) }),
		table(["in.unit", "in.score", "in.inside", "in.outside"].slice(0, rows[0]?.length), rows),
	]
}
