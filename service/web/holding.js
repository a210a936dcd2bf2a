/** What a unit is for: the same text with and without it held at a value, from the same seed. */

import { byId, el } from "./dom.js"
import { t } from "./i18n.js"
import { newSeed } from "./stream.js"

const LENGTH = 300

export async function hold(api, model, held) {
	const prompt = byId("in-prompt").value
	const asked = { model, prompt, max_tokens: LENGTH, seed: newSeed() }
	const write = (clamp) => api.post("generate", { ...asked, ...clamp })
	try {
		// The held one first: a server that holds none need not write the other.
		const other = await write({ clamp: [held] })
		const free = await write({})
		show(prompt, free.text, other.text, { unit: `${held.name}.${held.unit}`, value: held.value })
	} catch (error) {
		if (error.param !== "clamp" || !error.message.includes("--max-clamps")) throw error
		byId("in-held").replaceChildren(el("p", { text: t("in.clamps_off") }))
	}
}

function show(prompt, free, held, { unit, value }) {
	const texts = [free, held].map((text) => Array.from(text))
	const length = Math.max(...texts.map((text) => text.length))
	let at = 0
	while (at < length && texts[0][at] === texts[1][at]) at += 1
	const isSame = at === length
	const titles = [t("in.free"), t("in.held", { unit, value })]
	const sides = texts.map((text, n) =>
		el("article", {}, el("h3", { text: titles[n] }),
			el("p", { class: "text", tabindex: 0 }, el("span", { class: "read", text: prompt }), text.slice(0, at).join(""),
				...(isSame ? [] : [el("mark", { text: text[at] ?? "∎" }), text.slice(at + 1).join("")])),
		))
	const words = isSame ? t("in.same") : t("in.parts", { number: at })
	byId("in-held").replaceChildren(el("p", { class: "hint", role: "status", text: words }), el("div", { class: "sides" }, ...sides))
}
