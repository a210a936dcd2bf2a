/** The panel that looks inside of a model: a text in the colours of a unit, and what the unit is for. */

import { inspect } from "./activations.js"
import { byId, el, on } from "./dom.js"
import { takeFiles } from "./files.js"
import { heatmap } from "./heatmap.js"
import { hold } from "./holding.js"
import { number, t } from "./i18n.js"
import { attempt, say } from "./notice.js"
import { Scale } from "./scale.js"
import { TextView } from "./textview.js"
import { codePoints, visible } from "./tokens.js"
import { Units } from "./units.js"

const EXAMPLE_LENGTH = 1500
const EXAMPLE_REQUESTS = 8
const TEXTS_EACH = 16
/** Values that a server tells at once, unless it is told otherwise: --max-inspect-values. */
const MOST_VALUES = 2 ** 20
/** Units of the bundled models that turned out to stand for something: docs/inside.md. */
const KNOWN = {
	shakespeare: { "layer0.c.378": "in.column", "layer1.c.24": "in.name", "layer0.f.44": "in.start" },
	songci: { "layer1.c.472": "in.lines" },
	names: { "layer0.c.181": "in.letters" },
}

/** `ownText` gives the text of the panel where texts are written. */
export function insidePanel(api, models, peek, ownText) {
	/** What is looked at: `model`, `text`, where its tokens start, `available` activations, `states`. */
	let read = null
	/** All gates of the chosen unit, and the one that is shown. */
	let [rows, row, chosen] = [[], null, ""]

	const wordsAt = (index, { label, values } = row) =>
		t("in.value", { token: visible(view.tokens[index].text), unit: label, value: number(values[index], 3) })
	const note = (index, span) => row && peek.note(index, span, wordsAt(index))
	const view = new TextView(byId("in-view"), { onPeek: note, onPick: note, onLeave: () => peek.leave() })
	view.words = (_, index) => wordsAt(index)
	const units = new Units(view, (name, unit) => attempt(() => choose(name, unit)))

	const ask = (wanted) => inspect(api, read.model, read.text, wanted)

	/** A text of the model's own, or as many as it takes. */
	async function example() {
		const model = byId("in-model").value
		const prompt = models.examplesOf(model)[0] ?? ""
		const asked = { model, prompt, max_tokens: EXAMPLE_LENGTH }
		let text = (await api.post("generate", asked)).text
		for (let n = 0; n < EXAMPLE_REQUESTS && text.length < EXAMPLE_LENGTH / 2; n += 1) {
			const { texts } = await api.post("generate", { ...asked, n: TEXTS_EACH })
			text = [text, ...texts.map((each) => each.text)].join(`\n${prompt}`)
		}
		return prompt + text
	}

	async function look(text) {
		byId("in-text").value = text
		if (!text) return byId("in-text").focus()
		const model = byId("in-model").value
		const [{ available }, { state }] = await Promise.all([inspect(api, model, "a", []), api.get(`models/${model}`)])
		read = { model, text, available, states: state.map(({ name }) => name) }
		row = null
		byId("in-result").hidden = true
		byId("in-gate").replaceChildren(...Object.keys(available).map((name) => el("option", { text: name })))
		const known = Object.entries(KNOWN[model.split("@")[0]] ?? {}).filter(([unit]) => available[split(unit)[0]] > split(unit)[1])
		byId("in-known").replaceChildren(...known.map(([unit, key]) =>
			el("button", { class: "example", "data-t": key, text: t(key), title: unit, on: { click: () => attempt(() => choose(...split(unit))) } })))
		byId("in-prompt").value = models.examplesOf(model)[0] ?? ""
		byId("in-held").replaceChildren()
		await choose(...split(known[0]?.[0] ?? `${Object.keys(available).at(-1)}.0`))
		say(t("said.read"))
	}

	/** The text as the model reads it, token by token. */
	function lay({ text, tokens }) {
		const points = Array.from(text)
		const starts = [...tokens.map(({ start }) => start), points.length]
		Object.assign(read, { text, starts })
		view.replace(tokens.map((_, n) => tokenOf(points.slice(starts[n], starts[n + 1]).join(""))))
		units.forget()
	}

	/** Colour the text by a unit, of which all gates are asked for at once. */
	async function choose(name, unit) {
		const { available } = read
		byId("in-gate").value = name
		byId("in-unit").max = String(available[name] - 1)
		byId("in-unit").value = String(unit)
		const isBeside = (each) => layerOf(each) === layerOf(name) && unit < available[each]
		const gates = Object.keys(available).filter((each) => each === name || isBeside(each))
		chosen = `${name}.${unit}`
		const answer = await ask(gates.map((each) => [each, [unit]]))
		if (!answer.rows.some(({ label }) => label === chosen)) return // another one was chosen meanwhile
		if (!row) lay(answer)
		rows = answer.rows
		byId("in-result").hidden = false
		await show()
	}

	async function show() {
		row = rows.find(({ label }) => label === chosen)
		const scale = new Scale(row.name, row.values)
		view.level = (_, index) => scale.level(row.values[index])
		view.refigure(view.tokens)
		byId("in-scale").replaceChildren(...scale.legend())
		byId("in-title").textContent = chosen
		byId("in-hold-unit").textContent = `${held()}.${row.unit}`
		await heat()
	}

	async function heat() {
		const shown = await rowsOf(byId("in-rows").value)
		const scales = {}
		for (const { name } of shown) scales[name] ??= new Scale(name, shown.flatMap((each) => (each.name === name ? each.values : [])))
		const point = (index, each) => {
			view.spanAt(index).scrollIntoView({ block: "nearest" })
			byId("in-about").textContent = wordsAt(index, each)
		}
		byId("in-about").textContent = ""
		byId("in-heat").replaceChildren(...heatmap(shown.map((each) => ({ ...each, scale: scales[each.name] })), t("in.heat"), point))
	}

	/** Of the chosen unit, of the chosen activation, or of the units that were found. */
	async function rowsOf(which) {
		if (which === "gates") return rows
		const wanted = {}
		if (which === "units") {
			const most = Math.min(read.available[row.name], Math.floor(MOST_VALUES / read.starts.length))
			wanted[row.name] = [...Array(most).keys()]
		} else for (const { activation, unit } of units.found) (wanted[activation] ??= []).push(unit)
		if (!Object.keys(wanted).length) throw new Error(t("in.search"))
		return (await ask(Object.entries(wanted))).rows
	}

	/** What can be held is the state: of a gate, the cell that it is for. */
	function held() {
		const layer = layerOf(row.name)
		return [row.name, `${layer}.c`, `${layer}.h`].find((each) => read.states.includes(each)) ?? read.states[0]
	}

	const typed = () => choose(byId("in-gate").value, Math.min(byId("in-unit").value, read.available[byId("in-gate").value] - 1))
	const does = {
		"in-go": ["click", () => look(byId("in-text").value)],
		"in-own": ["click", () => look(ownText())],
		"in-example": ["click", async () => look(await example())],
		"in-gate": ["change", typed],
		"in-unit": ["change", typed],
		"in-rows": ["change", heat],
		"in-find": ["click", () => units.find(api, read)],
		"in-hold": ["submit", () => hold(api, read.model, { name: held(), unit: row.unit, value: Number(byId("in-value").value) })],
	}
	for (const [id, [event, run]] of Object.entries(does)) on(id, event, (happened) => {
		happened.preventDefault()
		attempt(run)
	})
	takeFiles(byId("in-text"), () => byId("in-go").click())

	function build() {
		models.refill(byId("in-model"))
		if (!row) return
		units.show()
		attempt(show)
	}
	return { build }
}

function split(label) {
	const at = label.lastIndexOf(".")
	return [label.slice(0, at), Number(label.slice(at + 1))]
}

const layerOf = (name) => name.split(".")[0]
const tokenOf = (text) => ({ text, length: codePoints(text), logprob: null, top: [], isWritten: true })
