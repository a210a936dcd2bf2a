/** The server's routes, and its errors. Paths are relative: they hold behind any prefix. */

/** What the server refused, or `network` if it could not be asked. */
export class ApiError extends Error {
	/** Status 0: there was no answer. */
	constructor(status, error, retryAfterS = 0) {
		super(error.message)
		this.status = status
		this.code = error.code
		this.param = error.param
		this.retryAfterS = retryAfterS
	}

	/** Whether the same request may do later. */
	get passes() {
		return PASSING.has(this.code)
	}
}

const PASSING = new Set([
	"network",
	"overloaded",
	"rate_limited",
	"session_busy",
	"sessions_unavailable",
	"shutting_down",
])

/** The key is in this object's memory only: nothing writes it down. */
export class Api {
	#key = ""
	/** One question at a time, whoever is refused meanwhile. */
	#asking = null

	constructor(askForKey) {
		this.askForKey = askForKey
	}

	get hasKey() {
		return this.#key !== ""
	}

	/** The answer's JSON; null if it has none. */
	async json(method, path, body, options = {}) {
		const response = await this.send(method, path, body, options)
		return response.status === 204 ? null : response.json()
	}

	get(path, options) {
		return this.json("GET", path, undefined, options)
	}

	post(path, body = {}, options) {
		return this.json("POST", path, body, options)
	}

	async send(method, path, body, options = {}) {
		for (;;) {
			const key = this.#key
			const response = await this.#fetch(method, path, body, options)
			if (response.ok) return response
			const error = await errorOf(response)
			if (response.status !== 401) throw error
			if (key === this.#key) await this.#newKey()
		}
	}

	async #fetch(method, path, body, { headers = {}, signal }) {
		const all = { ...headers }
		if (body !== undefined) all["content-type"] = "application/json"
		if (this.#key) all.authorization = `Bearer ${this.#key}`
		try {
			return await fetch(path, { method, headers: all, signal, body: body && JSON.stringify(body) })
		} catch (error) {
			throw signal?.aborted ? error : lostConnection()
		}
	}

	async #newKey() {
		this.#asking ??= this.askForKey().finally(() => (this.#asking = null))
		this.#key = await this.#asking
	}
}

/** The server cannot be reached, or left in the middle of an answer. */
export function lostConnection() {
	return new ApiError(0, { code: "network", message: "", param: null })
}

async function errorOf(response) {
	const retryAfterS = Number(response.headers.get("retry-after")) || 0
	try {
		const { error } = await response.json()
		return new ApiError(response.status, error, retryAfterS)
	} catch {
		// Not ours: say, a proxy's page.
		const code = response.status >= 502 && response.status <= 504 ? "network" : "http_error"
		return new ApiError(response.status, { code, message: response.statusText, param: null })
	}
}
