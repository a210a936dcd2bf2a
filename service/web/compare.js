/** Two branches side by side, from where they part. */

import { byId, el } from "./dom.js"
import { number, t } from "./i18n.js"

const SHARED_SHOWN = 160

export async function compare(api, book, id) {
	const dialog = byId("compare-dialog")
	const others = [...book.sessions.values()].filter(
		(session) => session.id !== id && session.model === book.sessions.get(id).model && book.rootOf(session.id) === book.rootOf(id),
	)
	const select = el("select", { "aria-label": t("compare.with") }, ...others.map((session) => el("option", { value: session.id, text: titleOf(book, session) })))
	const result = el("div", { "aria-live": "polite" })
	const show = async () => {
		const found = await api.get(`sessions/${id}/diff?with=${encodeURIComponent(select.value)}`)
		result.replaceChildren(...(await sides(book, id, found)))
	}
	select.onchange = show
	const choice = others.length ? [el("label", {}, t("compare.with"), " ", select)] : [el("p", { text: t("compare.none") })]
	byId("comparison").replaceChildren(...choice, result)
	dialog.showModal()
	if (others.length) await show()
}

async function sides(book, id, { position, branches }) {
	const turns = await book.log(id)
	const whole = turns.map((turn) => (turn.prompt ?? "") + (turn.text ?? "")).join("")
	const own = branches.find((branch) => branch.id === id)
	// What both have is what stands before what only this one has; that may be cut to 1,000 characters.
	const shared = own.num_tokens ? whole.slice(0, whole.lastIndexOf(own.text.slice(0, 200))) : whole
	const columns = branches.map((branch) =>
		el("article", {},
			el("h3", { text: titleOf(book, book.sessions.get(branch.id)) }),
			el("p", { class: "text", tabindex: 0, text: branch.text || "∎" }),
			el("p", { class: "hint", text: t("compare.after", { number: branch.num_tokens }) }),
		),
	)
	return [
		el("p", { class: "hint", text: t("compare.shared", { number: position }) }),
		el("p", { class: "text shared", text: (shared.length > SHARED_SHOWN ? "…" : "") + shared.slice(-SHARED_SHOWN) }),
		el("div", { class: "sides" }, ...columns),
	]
}

function titleOf(book, session) {
	if (!session) return ""
	const words = book.name(session.id) || book.begins(session.id).trim().replace(/\s+/g, " ").slice(0, 30)
	return `${words || t("tree.empty")} · ${number(session.num_tokens)}`
}
