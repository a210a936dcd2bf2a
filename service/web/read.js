/** The panel where a text is read: how surprising it is, where, and to whom. */

import { curve } from "./curve.js"
import { byId, el, on } from "./dom.js"
import { takeFiles } from "./files.js"
import { number, t } from "./i18n.js"
import { attempt, say } from "./notice.js"
import { table } from "./table.js"
import { percentOf, TextView } from "./textview.js"
import { lay, shadeStep, surprisal, visible } from "./tokens.js"

const MOST_CHARACTERS = 16_000
const NUM_PLACES = 8
const AROUND = 14

const EXAMPLE = `ROMEO:
But, soft! what light through yonder window breaks?
It is the east, and Juliet is the sun.
The server speaks in forty-seven tongues,
And every byte of it is gradient.
Arise, fair sun, and kill the envious moon,
Who is already sick and pale with grief.
`

export class ReadPanel {
	constructor(api, models) {
		this.api = api
		this.models = models
		this.area = byId("read-text")
		this.result = byId("read-result")
		on("read-go", "click", () => this.read())
		on("read-example", "click", () => {
			this.area.value = EXAMPLE
			this.read()
		})
		takeFiles(this.area, () => this.read())
		this.area.onkeydown = (event) => {
			if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.read()
		}
	}

	build() {
		const beside = byId("read-beside").value
		this.models.refill(byId("read-model"))
		this.models.fill(byId("read-beside"), { none: t("read.nothing") })
		byId("read-beside").value = beside
	}

	async read() {
		const text = Array.from(this.area.value).slice(0, MOST_CHARACTERS).join("")
		if (!text) return this.area.focus()
		const names = [byId("read-model").value, byId("read-beside").value].filter(Boolean)
		const button = byId("read-go")
		button.disabled = true
		await attempt(async () => {
			this.#show(await Promise.all(names.map((name) => this.#ask(text, name))))
			say(t("said.read"))
		})
		button.disabled = false
	}

	async #ask(text, model) {
		const [{ scores: [score] }, manifest] = await Promise.all([
			this.api.post("score", { texts: [text], model, logprobs: text.length > 4000 ? 3 : 10 }),
			this.api.get(`models/${model}`),
		])
		// The server cleans a text before it reads it: figures are of what is left of it.
		const cleaned = text.replaceAll("\ufeff", "").replace(/\r\n?/g, "\n")
		return { model, score, tokens: lay(cleaned, score.tokens, false, manifest.special_ids?.unknown ?? null) }
	}

	#show(readings) {
		const [{ tokens }] = readings
		const shown = el("div", { class: "text", tabindex: 0, role: "group", "aria-label": t("read.shaded") })
		const about = el("p", { class: "hint about", text: t("read.point") })
		const view = new TextView(shown, {
			onPeek: (index) => (about.textContent = aboutToken(tokens[index])),
			onPick: (index) => (about.textContent = aboutToken(tokens[index])),
		})
		view.step = shadeStep(this.models.all.find(({ id }) => id === readings[0].model).vocabulary_size)
		view.replace(tokens)
		const starts = startsOf(tokens)
		const lines = readings.map(({ model, tokens: each }) => ({ label: model, bits: perCharacter(each) }))
		const picture = curve(lines, t("read.curve"), (character) => {
			const index = starts.findLastIndex((start) => start <= character)
			for (const old of shown.querySelectorAll(".asked")) old.classList.remove("asked")
			const span = view.spanAt(index)
			span?.classList.add("asked")
			about.textContent = aboutToken(tokens[index])
		})
		this.result.hidden = false
		this.result.replaceChildren(
			summary(readings),
			el("div", { class: "scroll", tabindex: 0 }, picture),
			about,
			el("div", { class: "reading" }, shown, places(tokens, view)),
		)
	}
}

function summary(readings) {
	const rows = readings.map(({ model, score }, n) => [
		el("span", {}, el("span", { class: `key line-${n}` }), " ", model),
		number(score.bits_per_character ?? 0, 2),
		number(score.surprisal_bits ?? 0),
		number(score.perplexity ?? 0, 2),
		number(score.unknown_tokens),
	])
	return table(["model", "read.bits", "read.total", "read.perplexity", "read.unknown"], rows)
}

function places(tokens, view) {
	const ranked = tokens
		.map((token, index) => ({ index, bits: surprisal(token) ?? -1 }))
		.sort((a, b) => b.bits - a.bits)
		.slice(0, NUM_PLACES)
		.filter(({ bits }) => bits > 0)
	const around = (from, until) => visible(tokens.slice(Math.max(0, from), until).map(({ text }) => text).join(""))
	const rows = ranked.map(({ index, bits }) =>
		el("li", {}, el("button", { class: "quiet", on: { click: () => view.moveTo(index) } },
			el("span", { text: around(index - AROUND, index) }), el("b", { text: visible(tokens[index].text) }),
			el("span", { text: around(index + 1, index + 5) }), el("small", { text: t("read.so_many_bits", { bits: number(bits, 1) }) }),
		)),
	)
	return el("section", { class: "places" }, el("h3", { text: t("read.places") }), el("ol", {}, ...rows))
}

function aboutToken(token) {
	const bits = surprisal(token)
	if (bits === null) return t("token.unknown", { token: visible(token.text) })
	const best = token.top.slice(0, 3).map((each) => `${visible(each.token)} ${percentOf(Math.exp(each.logprob))}`)
	return t("read.about", { token: visible(token.text), percent: percentOf(Math.exp(token.logprob)), bits: number(bits, 1), best: best.join(", ") })
}

function perCharacter(tokens) {
	return tokens.flatMap((token) => {
		const bits = surprisal(token)
		return Array(token.length).fill(bits === null ? null : bits / token.length)
	})
}

function startsOf(tokens) {
	let at = 0
	return tokens.map(({ length }) => (at += length) - length)
}
