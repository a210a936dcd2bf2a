/** Texts taken along: as text, as a transcript, as a capsule; and a capsule brought back. */

import { download } from "./dom.js"

export async function exportText(book, id) {
	const turns = await book.log(id)
	const text = turns.map((turn) => (turn.prompt ?? "") + (turn.text ?? "")).join("")
	download(`${fileName(book, id)}.txt`, text, "text/plain")
}

export async function exportTranscript(book, id) {
	const transcript = { session: await book.session(id), name: book.name(id), turns: await book.log(id) }
	download(`${fileName(book, id)}.json`, JSON.stringify(transcript, null, 2), "application/json")
}

/** The past itself, sealed: this server, or another one with the key, goes on from it. */
export async function exportCapsule(api, book, id) {
	const { capsule } = await api.get(`sessions/${id}/capsule`)
	download(`${fileName(book, id)}.capsule`, capsule, "text/plain")
}

export async function importCapsule(api, file) {
	return api.post("sessions/import", { capsule: (await file.text()).trim() })
}

/** A file that is dropped there is its text. */
export function takeFiles(area, then) {
	area.ondragover = (event) => event.preventDefault()
	area.ondrop = async (event) => {
		const [file] = event.dataTransfer.files
		if (!file) return // text, which the browser puts in by itself
		event.preventDefault()
		area.value = await file.text()
		then()
	}
}

function fileName(book, id) {
	const words = book.name(id) || book.begins(id) || id
	return words.trim().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 40) || id
}
