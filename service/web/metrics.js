/** Metrics in Prometheus' text format, as far as this page needs them. */

/** From the text of GET /metrics: sums over all labels, by name. */
export function totals(text) {
	const found = new Map();
	for (const line of text.split("\n")) {
		const match = /^([a-z_:]+)(?:\{.*\})? ([-+.\deE]+)$/.exec(line);
		if (match) found.set(match[1], (found.get(match[1]) ?? 0) + Number(match[2]));
	}
	return found;
}

/** What a histogram's mean was between two looks; null if nothing was counted. */
export function meanBetween(then, now, name) {
	const grown = (suffix) => (now.get(name + suffix) ?? 0) - (then.get(name + suffix) ?? 0);
	const count = grown("_count");
	return count > 0 ? grown("_sum") / count : null;
}
