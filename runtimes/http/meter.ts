/** Request metrics in Prometheus' text format. */

/** Counters of requests, for /metrics. */
export interface Meter {
  /** Counts an answered request. `route` is the declared path, which contains no names of users. */
  answered(method: string, route: string, status: number, seconds: number): void;
  /** Adds a value that is read when the metrics are. */
  gauge(name: string, help: string, read: () => number): void;
  /** Returns all metrics as text. */
  text(): string;
}

/** Upper bounds of the buckets of times, in seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Creates an empty meter. */
export function meter(): Meter {
  const requests = new Map<string, number>();
  /** `counts`: not cumulative, each request is only in its smallest bucket. */
  const times = new Map<string, { counts: number[]; sum: number; count: number }>();
  const gauges: { name: string; help: string; read: () => number }[] = [];
  return {
    answered: (method, route, status, seconds) => {
      const where = `method="${method}",route="${route}"`;
      const key = `${where},status="${status}"`;
      requests.set(key, (requests.get(key) ?? 0) + 1);
      const latency = times.get(where) ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      const first = BUCKETS.findIndex((end) => seconds <= end);
      if (first >= 0) latency.counts[first] = (latency.counts[first] ?? 0) + 1;
      latency.sum += seconds;
      latency.count++;
      times.set(where, latency);
    },
    gauge: (name, help, read) => void gauges.push({ name, help, read }),
    text: () => {
      const lines = [
        "# HELP attune_http_requests_total Answered requests",
        "# TYPE attune_http_requests_total counter",
      ];
      for (const [labels, count] of requests) lines.push(`attune_http_requests_total{${labels}} ${count}`);
      const name = "attune_http_request_duration_seconds";
      lines.push(`# HELP ${name} Time until a response begins`, `# TYPE ${name} histogram`);
      for (const [labels, { counts, sum, count }] of times) {
        let within = 0;
        BUCKETS.forEach((end, i) => {
          within += counts[i] ?? 0;
          lines.push(`${name}_bucket{${labels},le="${end}"} ${within}`);
        });
        lines.push(`${name}_bucket{${labels},le="+Inf"} ${count}`);
        lines.push(`${name}_sum{${labels}} ${sum}`, `${name}_count{${labels}} ${count}`);
      }
      for (const { name, help, read } of gauges) {
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${read()}`);
      }
      return `${lines.join("\n")}\n`;
    },
  };
}
