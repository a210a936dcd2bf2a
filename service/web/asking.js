/** Questions to the person, in a dialog. */

import { byId } from "./dom.js"
import { t } from "./i18n.js"

let keysAsked = 0

/** The API key; it is written down nowhere. */
export function askForKey() {
	const hint = keysAsked ? "key.wrong" : "key.hint"
	keysAsked += 1
	return ask("key.title", { hint: t(hint), type: "password", required: true })
}

/** Null if there shall be no change. */
export function askForName(value) {
	return ask("name.title", { value })
}

function ask(title, { hint = "", type = "text", value = "", required = false }) {
	const [dialog, input] = [byId("ask"), byId("answer")]
	byId("ask-title").textContent = t(title)
	byId("ask-hint").textContent = hint
	Object.assign(input, { type, value, required })
	dialog.returnValue = ""
	// Without an answer that is required there is nothing to go back to: the question stays.
	dialog.oncancel = (event) => required && event.preventDefault()
	return new Promise((resolve) => {
		dialog.onclose = () => {
			const answer = input.value.trim()
			input.value = ""
			resolve(dialog.returnValue ? answer : null)
		}
		dialog.showModal()
		input.select()
	})
}
