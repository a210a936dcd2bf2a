/**
 * What the sampling controls do to the next token's probabilities, in the server's order:
 * temperature, top-k, top-p, min-p.
 *
 * The server gives the ten most probable tokens; the others are taken for equally probable, which
 * is an estimate, and told as one bar.
 */

/** A distribution is `{probabilities, others}`; at temperature 0 the most probable token is always taken. */
/** `logprobs` are natural, the largest first. */
export function before(logprobs) {
	const probabilities = logprobs.map(Math.exp)
	return { probabilities, others: Math.max(0, 1 - sum(probabilities)) }
}

export function after(logprobs, sampling, vocabularySize) {
	if (sampling.temperature === 0) {
		return { probabilities: logprobs.map((_, rank) => (rank === 0 ? 1 : 0)), others: 0 }
	}
	const numOthers = Math.max(0, vocabularySize - logprobs.length)
	const tempered = withTemperature(before(logprobs), sampling.temperature, numOthers)
	const topK = keepTopK(tempered, sampling.top_k, numOthers)
	const topP = keepTopP(topK, sampling.top_p)
	return normalised(keepMinP(topP, sampling.min_p, numOthers))
}

function withTemperature({ probabilities, others }, temperature, numOthers) {
	const power = (p) => (p > 0 ? p ** (1 / temperature) : 0)
	return normalised({
		probabilities: probabilities.map(power),
		others: numOthers ? numOthers * power(others / numOthers) : 0,
	})
}

function keepTopK({ probabilities, others }, k, numOthers) {
	if (!k || k < 0) return { probabilities, others }
	const share = numOthers ? Math.min(1, Math.max(0, k - probabilities.length) / numOthers) : 0
	return normalised({
		probabilities: probabilities.map((p, rank) => (rank < k ? p : 0)),
		others: others * share,
	})
}

function keepTopP({ probabilities, others }, topP) {
	if (!topP || topP >= 1) return { probabilities, others }
	let held = 0
	const kept = probabilities.map((p) => {
		const isNeeded = held < topP
		held += p
		return isNeeded ? p : 0
	})
	return normalised({ probabilities: kept, others: Math.min(others, Math.max(0, topP - held)) })
}

function keepMinP({ probabilities, others }, minP, numOthers) {
	if (!minP) return { probabilities, others }
	const least = minP * Math.max(...probabilities)
	const isKept = numOthers > 0 && others / numOthers >= least
	return {
		probabilities: probabilities.map((p) => (p >= least ? p : 0)),
		others: isKept ? others : 0,
	}
}

function normalised({ probabilities, others }) {
	const total = sum(probabilities) + others
	return { probabilities: probabilities.map((p) => p / total), others: others / total }
}

function sum(numbers) {
	return numbers.reduce((total, number) => total + number, 0)
}
