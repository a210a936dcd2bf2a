/** How the next token is drawn: a control for each option, with what it does. */

import { el } from "./dom.js"
import { number, t } from "./i18n.js"

/**
 * What switches an option off is its `off`; the request says it only where the model's own default
 * is another one.
 */
const OPTIONS = [
	{ name: "temperature", min: 0, max: 2, step: 0.05, off: 1 },
	{ name: "top_k", min: 0, max: 50, step: 1, off: 0 },
	{ name: "top_p", min: 0.05, max: 1, step: 0.05, off: 1 },
	{ name: "min_p", min: 0, max: 0.5, step: 0.01, off: 0 },
	{ name: "repetition_penalty", min: 1, max: 2, step: 0.05, off: 1, isRare: true },
]

export class Controls {
	#inputs = new Map()
	#model = null

	constructor(container, onChange) {
		this.container = container
		this.onChange = onChange
		this.build()
	}

	/** Make the controls, in the language that is set; values stay. */
	build() {
		const values = new Map([...this.#inputs].map(([name, input]) => [name, input.value]))
		const rows = OPTIONS.filter((option) => !option.isRare).map((option) => this.#row(option))
		const rare = OPTIONS.filter((option) => option.isRare).map((option) => this.#row(option))
		const more = el("details", {}, el("summary", { text: t("more") }), ...rare, this.#stopRow())
		this.container.replaceChildren(...rows, more)
		for (const [name, value] of values) this.#set(name, value)
	}

	use(model) {
		this.#model = model
		for (const { name, off } of OPTIONS) this.#set(name, model.defaults[name] ?? off)
	}

	get fields() {
		const fields = {}
		for (const { name, off } of OPTIONS) {
			const value = Number(this.#inputs.get(name).value)
			const byDefault = this.#model?.defaults[name] ?? null
			if (name === "temperature" || value !== off) fields[name] = value
			else if (byDefault !== null) fields[name] = name === "top_k" ? this.#model.vocabulary_size : off
		}
		const stop = this.#inputs.get("stop").value
		if (stop) fields.stop = [stop.replaceAll("\\n", "\n")]
		return fields
	}

	get sampling() {
		const value = (name) => Number(this.#inputs.get(name).value)
		return {
			temperature: value("temperature"),
			top_k: value("top_k") || null,
			top_p: value("top_p"),
			min_p: value("min_p"),
		}
	}

	#row({ name, min, max, step, off }) {
		const shown = el("output", { for: `option-${name}` })
		const show = () => {
			const value = Number(input.value)
			shown.textContent = value === off && name !== "temperature" ? t("off") : number(value, 2)
		}
		const input = el("input", {
			type: "range", id: `option-${name}`, min, max, step, value: off, "aria-describedby": `about-${name}`,
			on: { input: () => { show(); this.onChange(); } },
		})
		input.show = show
		show()
		this.#inputs.set(name, input)
		return el("div", { class: "option" },
			el("label", { for: `option-${name}` }, name.replaceAll("_", "-"), " ", shown),
			input,
			el("p", { class: "hint", id: `about-${name}`, text: t(`about.${name}`) }),
		)
	}

	#stopRow() {
		const input = el("input", { id: "option-stop", maxlength: 64, placeholder: "\\n\\n", "aria-describedby": "about-stop" })
		this.#inputs.set("stop", input)
		return el("div", { class: "option" },
			el("label", { for: "option-stop", text: "stop" }),
			input,
			el("p", { class: "hint", id: "about-stop", text: t("about.stop") }),
		)
	}

	#set(name, value) {
		const input = this.#inputs.get(name)
		input.value = String(value)
		input.show?.()
	}
}
