/** What a model computes while it reads a text: POST /inspect. */

const NUM_BITS = 1024

/** `wanted`: activations with their units, null for all; `rows` has a row for each unit, with its value after each token. */
export async function inspect(api, model, text, wanted) {
	const activations = wanted.map(([name, units]) => ({ name, units }))
	const answer = await api.post("inspect", { model, text, activations, encoding: "float16" })
	const rows = answer.activations.flatMap(({ name, units, base64 }) => {
		const values = float16(base64)
		return units.map((unit, n) => ({ label: `${name}.${unit}`, name, unit, values: answer.tokens.map((_, at) => values[at * units.length + n]) }))
	})
	return { ...answer, rows }
}

/** Little-endian half-precision numbers, IEEE 754. */
function float16(base64) {
	const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))
	return Float32Array.from(new Uint16Array(bytes.buffer), (half) => {
		const [exponent, fraction] = [(half >> 10) & 31, (half & (NUM_BITS - 1)) / NUM_BITS]
		const size = exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction
		return half >> 15 ? -size : size
	})
}
