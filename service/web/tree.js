/**
 * Sessions as a tree: texts, their turns, and the branches that part from them. By keyboard as the
 * ARIA practices have it: arrows walk, Enter opens (https://www.w3.org/WAI/ARIA/apg/patterns/treeview/).
 */

import { el } from "./dom.js"
import { number, t } from "./i18n.js"

const MOST_ROOTS = 60
const SHOWN = 42

export class Tree {
	/** Id of the session that commands are for. */
	selected = null

	/** `onTurn`: go to a turn of the open session; `onKey`: `Delete` or `F2`. */
	constructor(element, book, listeners) {
		this.element = element
		this.book = book
		Object.assign(this, listeners)
		element.onkeydown = (event) => this.#keyed(event)
		element.onclick = (event) => this.#clicked(event)
	}

	async draw() {
		const drawing = (this.drawing = Symbol("the latest wins"))
		const { book } = this
		const open = book.open ? book.rootOf(book.open) : undefined
		const roots = book.roots().slice(0, MOST_ROOTS)
		if (open && !roots.includes(open)) roots.unshift(open)
		const items = await Promise.all(roots.map((root) => (root === open ? this.#branch(root, 1) : this.#root(root))))
		if (drawing !== this.drawing) return
		const focused = this.element.contains(document.activeElement) && document.activeElement.dataset.key
		this.element.replaceChildren(...items)
		this.selected = book.open ?? book.roots()[0]?.id ?? null
		const stop = this.#find(focused) ?? this.#find(this.selected) ?? this.#items()[0]
		this.#stopAt(stop, Boolean(focused))
		this.onSelect()
	}

	async #root(session) {
		const begins = this.book.begins(session.id) || (await this.#learn(session.id))
		const isExpandable = this.book.children(session.id).length > 0
		return item({ key: session.id, level: 1, session: session.id, label: this.#label(session, begins), expanded: isExpandable ? false : null })
	}

	async #learn(id) {
		try {
			return await this.book.learnBeginning(id)
		} catch {
			return "" // it has ended meanwhile
		}
	}

	/** A session with its turns, and under each turn the branches that part after it. */
	async #branch(session, level, shared = 0) {
		const turns = await this.book.log(session.id)
		const children = await Promise.all(
			this.book.children(session.id).map(async (child) => [child, sharedTurns(turns, await this.book.log(child.id))]),
		)
		const group = el("ul", { role: "group" })
		let characters = 0
		for (const [at, turn] of turns.entries()) {
			characters += (turn.prompt ?? "").length + (turn.text ?? "").length
			const parting = children.filter(([, number]) => (number || 1) === at + 1)
			if (at < shared && !parting.length) continue
			const branches = await Promise.all(parting.map(([child, number]) => this.#branch(child, level + 2, number)))
			group.append(turnItem(session, turn, level + 1, characters, branches))
		}
		const begins = session.parent && level > 1 ? wordsOf(turns.at(-1)) : this.book.begins(session.id) || wordsOf(turns[0])
		const isOpen = session.id === this.book.open
		return item({ key: session.id, level, session: session.id, label: this.#label(session, begins), isOpen, expanded: true, group, isBranch: level > 1 })
	}

	#label(session, begins) {
		const name = this.book.name(session.id)
		const words = short(name || begins) || t("tree.empty")
		return [el("b", { class: name ? "named" : "", text: words }), el("small", { text: `${session.model.split("@")[0]} · ${number(session.num_tokens)}` })]
	}

	#clicked(event) {
		const found = event.target.closest("[role=treeitem]")
		if (found) this.#activate(found)
	}

	#activate(found) {
		this.#stopAt(found, true)
		const { session, characters } = found.dataset
		if (characters === undefined || session !== this.book.open) this.onOpen(session)
		else this.onTurn(session, Number(characters))
	}

	#stopAt(found, withFocus) {
		for (const each of this.#items()) {
			each.tabIndex = each === found ? 0 : -1
			each.setAttribute("aria-selected", String(each === found))
		}
		if (!found) return
		this.selected = found.dataset.session
		if (withFocus) found.focus()
		this.onSelect()
	}

	#keyed(event) {
		const here = event.target.closest("[role=treeitem]")
		const items = this.#items()
		const at = items.indexOf(here)
		const to = {
			ArrowDown: () => items[at + 1],
			ArrowUp: () => items[at - 1],
			Home: () => items[0],
			End: () => items.at(-1),
			ArrowLeft: () => here.parentElement.closest("[role=treeitem]"),
			ArrowRight: () => here.querySelector("[role=treeitem]"),
		}[event.key]
		if (to) {
			const next = to()
			if (next) this.#stopAt(next, true)
		} else if (event.key === "Enter" || event.key === " ") this.#activate(here)
		else if (event.key === "Delete" || event.key === "F2") this.onKey(here.dataset.session, event.key)
		else return
		event.preventDefault()
	}

	#items() {
		return ([...this.element.querySelectorAll("[role=treeitem]")])
	}

	#find(key) {
		return this.#items().find((each) => each.dataset.key === key)
	}
}

function item({ key, level, session, label, isOpen = false, expanded = null, group = null, isBranch = false, characters }) {
	const classes = ["item", isOpen && "open", isBranch && "branch", characters !== undefined && "turn"]
	const line = el("span", { class: classes.filter(Boolean).join(" ") }, ...label)
	const element = el("li", {
		role: "treeitem", tabindex: -1, "aria-level": level, "aria-expanded": expanded,
		"aria-current": isOpen ? "true" : null, "aria-selected": "false", data: { key, session },
	}, line)
	if (characters !== undefined) element.dataset.characters = String(characters)
	if (group?.children.length) element.append(group)
	return element
}

function turnItem(session, turn, level, characters, branches) {
	const group = branches.length ? el("ul", { role: "group" }, ...branches) : null
	const label = [el("span", { text: short(wordsOf(turn)) || "·" })]
	return item({ key: `${session.id}/${turn.version}`, level, session: session.id, label, group, characters, expanded: group ? true : null })
}

/** How many turns of a branch are those of the session it was made of, the last one perhaps in part. */
function sharedTurns(turns, of) {
	let shared = 0
	while (shared < turns.length && of[shared]?.generation === turns[shared].generation) shared += 1
	return shared
}

function wordsOf(turn) {
	return turn ? `${turn.prompt ?? ""}${turn.text ?? ""}` : ""
}

function short(words) {
	const line = words.trim().replace(/\s+/g, " ")
	return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line
}
