/** A table that scrolls by itself where it is too wide. */

import { el } from "./dom.js"
import { t } from "./i18n.js"

/** `heads` are keys of words; the first cell of each row is its head. */
export function table(heads, rows) {
	const lines = rows.map(([head, ...cells]) => el("tr", {}, el("th", { scope: "row" }, head), ...cells.map((text) => el("td", { text }))))
	return el("div", { class: "scroll", tabindex: 0 }, el("table", {},
		el("thead", {}, el("tr", {}, ...heads.map((key) => el("th", { scope: "col", text: t(key) })))),
		el("tbody", {}, ...lines),
	))
}
