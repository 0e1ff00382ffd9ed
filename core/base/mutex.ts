/** One thing after the other. */

/** Does something when everything asked for earlier is done, whether that went well or not. */
export type Turn = <T>(act: () => Promise<T>) => Promise<T>;

/** A mutex: turns in the order of the requests. */
export function createMutex(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(act);
    last = turn.catch(() => {});
    return turn;
  };
}
