/** Elements, made so that no text can become markup. */

/** `text`, `on` (listeners) and `data` are special; `false`, `null` and `undefined` leave an attribute out. */
export function el(tag, attributes = {}, ...children) {
	return fill(document.createElement(tag), attributes, children)
}

export function svg(tag, attributes = {}, ...children) {
	return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children)
}

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (name === "text") element.textContent = String(value)
		else if (name === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run)
		else if (name === "data") Object.assign(element.dataset, value)
		else if (value === true) element.setAttribute(name, "")
		else if (value !== false && value != null) element.setAttribute(name, String(value))
	}
	element.append(...children)
	return element
}

export function byId(id) {
	return document.getElementById(id)
}

export function on(id, event, run) {
	byId(id).addEventListener(event, run)
}

/** Lets the person have `content` as a file. */
export function download(name, content, type) {
	const url = URL.createObjectURL(new Blob([content], { type }))
	el("a", { href: url, download: name }).click()
	setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
