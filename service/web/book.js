/** The sessions of this browser and address: what the server has of them, and their names here. */

const NAMES = "lstm-serve.names"
const OPEN = "lstm-serve.open"
const PAGE = 100
const MOST_PAGES = 3

export class Book {
	sessions = new Map()
	#logs = new Map()
	#notes = JSON.parse(localStorage.getItem(NAMES) ?? "{}")

	constructor(api) {
		this.api = api
	}

	get open() {
		return localStorage.getItem(OPEN)
	}

	set open(id) {
		if (id) localStorage.setItem(OPEN, id)
		else localStorage.removeItem(OPEN)
	}

	/** Ask the server which there are; those that this browser knows too, wherever it asks from now. */
	async refresh() {
		const found = new Map()
		let after = ""
		for (let page = 0; page < MOST_PAGES; page += 1) {
			const { sessions, next } = await this.api.get(`sessions?limit=${PAGE}${after}`)
			for (const session of sessions) found.set(session.id, session)
			if (!next) break
			after = `&after=${encodeURIComponent(next)}`
		}
		const known = Object.keys(this.#notes).filter((id) => !found.has(id))
		for (const session of await Promise.all(known.map((id) => this.#look(id)))) {
			if (session) found.set(session.id, session)
		}
		this.sessions = found
	}

	async #look(id) {
		try {
			return await this.api.get(`sessions/${id}`)
		} catch (error) {
			if (error.status === 404 || error.status === 410) this.forget(id)
			return null
		}
	}

	async session(id) {
		const session = await this.api.get(`sessions/${id}`)
		const known = this.sessions.get(id)
		const kept = { ...session, parent: session.parent ?? known?.parent ?? null }
		this.sessions.set(id, kept)
		return kept
	}

	/** The oldest first. */
	async log(id) {
		const version = this.sessions.get(id)?.version
		const kept = this.#logs.get(id)
		if (kept && kept.version === version) return kept.turns
		const turns = []
		for (let after = ""; ; ) {
			const page = await this.api.get(`sessions/${id}/log?limit=${PAGE}${after}`)
			turns.push(...page.turns)
			if (page.next === null) break
			after = `&after=${page.next}`
		}
		this.#logs.set(id, { version, turns })
		return turns
	}

	add(sessions, begins = "") {
		for (const session of sessions) {
			this.sessions.set(session.id, session)
			this.#note(session.id, begins ? { begins: begins.slice(0, 60) } : {})
		}
	}

	name(id) {
		return this.#notes[id]?.name ?? ""
	}

	begins(id) {
		return this.#notes[id]?.begins ?? ""
	}

	rename(id, name) {
		this.#note(id, { name })
	}

	/** The first words of a session that was not made here. */
	async learnBeginning(id) {
		const { turns } = await this.api.get(`sessions/${id}/log?limit=1`)
		const begins = `${turns[0]?.prompt ?? ""}${turns[0]?.text ?? ""}`
		if (begins) this.#note(id, { begins: begins.slice(0, 60) })
		return begins
	}

	async delete(id) {
		await this.api.json("DELETE", `sessions/${id}`)
		this.forget(id)
	}

	forget(id) {
		this.sessions.delete(id)
		this.#logs.delete(id)
		delete this.#notes[id]
		this.#keep()
	}

	/** Sessions that no other one that is left was the parent of, the newest first. */
	roots() {
		const roots = [...this.sessions.values()].filter(({ parent }) => !parent || !this.sessions.has(parent))
		return roots.sort((a, b) => b.created_at - a.created_at)
	}

	children(id) {
		const found = [...this.sessions.values()].filter(({ parent }) => parent === id)
		return found.sort((a, b) => a.created_at - b.created_at)
	}

	rootOf(id) {
		let session = this.sessions.get(id)
		while (session?.parent && this.sessions.has(session.parent)) session = this.sessions.get(session.parent)
		return session
	}

	#note(id, words) {
		this.#notes[id] = { ...this.#notes[id], ...words }
		this.#keep()
	}

	#keep() {
		localStorage.setItem(NAMES, JSON.stringify(this.#notes))
	}
}
