/** The models that are served: which is chosen, and its card. */

import { byId, el } from "./dom.js"
import { currentLanguage, number, t } from "./i18n.js"

/** What each of the bundled models has seen the beginnings of. */
const EXAMPLES = {
	shakespeare: ["ROMEO:\n", "JULIET:\nO ", "First Citizen:\n", "To be, or not to be", "KING RICHARD III:\nNow "],
	songci: ["玉楼春\n", "浣溪沙\n苏轼\n", "如梦令\n李清照\n", "蝶恋花\n春风"],
	names: ["", "ma", "eli", "jo"],
}

/** For figures on the card: the method that goes first. */
const METHOD = "stateful"

export class Models {
	/** Of GET /models, the default first. */
	all = []
	chosen = null
	#manifests = new Map()

	constructor(api) {
		this.api = api
	}

	async load() {
		const { models } = await this.api.get("models")
		this.all = models.sort((a, b) => Number(b.default) - Number(a.default))
		await this.use(this.all[0].id)
	}

	choose(id) {
		const found = this.all.find((model) => model.id === id)
		if (found && found !== this.chosen) this.use(id)
		return Boolean(found)
	}

	async use(id) {
		this.chosen = this.all.find((model) => model.id === id)
		byId("model").value = id
		this.onChosen?.(this.chosen)
		if (!this.#manifests.has(id)) this.#manifests.set(id, await this.api.get(`models/${id}`))
		if (this.chosen.id === id) this.showCard()
	}

	get manifest() {
		return this.#manifests.get(this.chosen?.id)
	}

	get specialIds() {
		const ids = Object.values(this.manifest?.special_ids ?? {})
		return new Set(ids.filter((id) => typeof id === "number"))
	}

	get unknownId() {
		return this.manifest?.special_ids?.unknown ?? null
	}

	/** Beginnings for the chosen model, or another one. */
	examplesOf(id = this.chosen.id) {
		return EXAMPLES[id.split("@")[0]] ?? []
	}

	fill(select, { none = "" } = {}) {
		const options = this.all.map(({ id }) => el("option", { value: id, text: id }))
		if (none) options.unshift(el("option", { value: "", text: none }))
		select.replaceChildren(...options)
	}

	/** Once more, with what was chosen; first, the default. */
	refill(select) {
		const { value } = select
		this.fill(select)
		select.value = value || this.all[0].id
	}

	showCard() {
		const { chosen, manifest } = this
		if (!manifest) return
		const corpus = manifest.provenance.corpus ?? {}
		const { bits_per_character: bits } = chosen.evaluations.find(({ method, precision }) => method === METHOD && precision === chosen.precision) ?? {}
		const facts = {
			"card.parameters": number(chosen.num_parameters),
			"card.kind": `${chosen.architecture} · ${chosen.precision}`,
			"card.vocabulary": number(chosen.vocabulary_size),
			"card.state": t("card.kilobytes", { number: number(chosen.state_bytes / 1000, 1) }),
			"card.bits": bits && number(bits, 2),
			"card.text": corpus.name,
			"card.licence": corpus.licence,
		}
		const rows = Object.entries(facts).filter(([, value]) => value)
		byId("card").replaceChildren(
			el("p", { text: chosen.description, lang: currentLanguage() === "zh" ? "en" : null }),
			el("dl", {}, ...rows.flatMap(([key, value]) => [el("dt", { text: t(key) }), el("dd", { text: value })])),
			el("p", { class: "hint", text: t("card.hint") }),
		)
	}
}
