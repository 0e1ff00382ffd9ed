/** Minimum cuts of a network (Dinic 1970). */

/** A network under construction, whose vertices are numbers. */
export interface Flow {
  vertex(): number;
  edge(from: number, to: number, capacity: number): void;
  /**
   * Finds a minimum cut, of several the one nearest to the sink. Returns a function that says whether a vertex is on
   * the sink's side.
   */
  cut(source: number, sink: number): (vertex: number) => boolean;
}

/** Creates an empty network. */
export function createFlow(): Flow {
  // Edges are in pairs: the second is the reverse of the first, for flow that is pushed back.
  const to: number[] = [];
  const room: number[] = [];
  const edges: number[][] = [];
  const depthsFrom = (source: number): Int32Array => {
    const depth = new Int32Array(edges.length).fill(-1);
    depth[source] = 0;
    const queue = [source];
    for (const vertex of queue) {
      for (const e of edges[vertex] ?? []) {
        const next = to[e] ?? 0;
        if ((room[e] ?? 0) <= 0 || (depth[next] ?? 0) >= 0) continue;
        depth[next] = (depth[vertex] ?? 0) + 1;
        queue.push(next);
      }
    }
    return depth;
  };
  /** Pushes flow along one path of a blocking flow; returns 0 if none is left. Not recursive, as networks are deep. */
  const push = (source: number, sink: number, depth: Int32Array, tried: Int32Array): number => {
    const path: number[] = [];
    let vertex = source;
    while (vertex !== sink) {
      const e = edges[vertex]?.[tried[vertex] ?? 0];
      if (e === undefined) {
        const back = path.pop();
        if (back === undefined) return 0;
        vertex = to[back ^ 1] ?? source;
        tried[vertex] = (tried[vertex] ?? 0) + 1;
      } else if ((room[e] ?? 0) > 0 && depth[to[e] ?? 0] === (depth[vertex] ?? 0) + 1) {
        path.push(e);
        vertex = to[e] ?? 0;
      } else tried[vertex] = (tried[vertex] ?? 0) + 1;
    }
    const most = Math.min(...path.map((e) => room[e] ?? 0));
    for (const e of path) {
      room[e] = (room[e] ?? 0) - most;
      room[e ^ 1] = (room[e ^ 1] ?? 0) + most;
    }
    return most;
  };
  return {
    vertex: () => edges.push([]) - 1,
    edge: (from, target, capacity) => {
      edges[from]?.push(to.push(target) - 1);
      room.push(capacity);
      edges[target]?.push(to.push(from) - 1);
      room.push(0);
    },
    cut: (source, sink) => {
      for (;;) {
        const depth = depthsFrom(source);
        if ((depth[sink] ?? -1) < 0) break;
        const tried = new Int32Array(edges.length);
        for (let pushed = push(source, sink, depth, tried); pushed > 0; pushed = push(source, sink, depth, tried)) {
          if (pushed === Infinity) throw new RangeError("The network has a path without a limit");
        }
      }
      // The vertices that can still reach the sink are on its side.
      const side = new Uint8Array(edges.length);
      side[sink] = 1;
      const queue = [sink];
      for (const vertex of queue) {
        for (const e of edges[vertex] ?? []) {
          const before = to[e] ?? 0;
          if (side[before] || (room[e ^ 1] ?? 0) <= 0) continue;
          side[before] = 1;
          queue.push(before);
        }
      }
      return (vertex) => side[vertex] === 1;
    },
  };
}
