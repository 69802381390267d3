/** Counters and a histogram of durations, in Prometheus's text format. */

/** Upper limits of the histogram, in seconds. */
const LIMITS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;

export class Metrics {
  readonly #requests = new Map<string, number>();
  readonly #buckets = new Array<number>(LIMITS.length).fill(0);
  #seconds = 0;
  #count = 0;
  inFlight = 0;

  /** A request of a route has been answered. */
  add(route: string, status: number, seconds: number): void {
    const key = `route="${route}",status="${status}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    if (route !== "/predict") return;
    this.#seconds += seconds;
    this.#count++;
    LIMITS.forEach((limit, i) => {
      if (seconds <= limit) this.#buckets[i] = (this.#buckets[i] ?? 0) + 1;
    });
  }

  /** The page of metrics. */
  text({ batches, rows }: { readonly batches: number; readonly rows: number }): string {
    const gauge = (name: string, type: string, help: string, value: number): string =>
      `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
    const requests = [...this.#requests].map(([labels, count]) => `torte_requests_total{${labels}} ${count}\n`);
    const buckets = LIMITS.map((limit, i) => `torte_predict_seconds_bucket{le="${limit}"} ${this.#buckets[i] ?? 0}\n`);
    return [
      "# HELP torte_requests_total Requests that were answered.\n# TYPE torte_requests_total counter\n",
      ...requests,
      "# HELP torte_predict_seconds Time from a request to its answer.\n# TYPE torte_predict_seconds histogram\n",
      ...buckets,
      `torte_predict_seconds_bucket{le="+Inf"} ${this.#count}\n`,
      `torte_predict_seconds_sum ${this.#seconds}\ntorte_predict_seconds_count ${this.#count}\n`,
      gauge("torte_in_flight", "gauge", "Requests without an answer yet.", this.inFlight),
      gauge("torte_batches_total", "counter", "Batches that went through the model.", batches),
      gauge("torte_rows_total", "counter", "Rows that went through the model.", rows),
      gauge("torte_memory_bytes", "gauge", "Resident memory of the process.", process.memoryUsage.rss()),
    ].join("");
  }
}
