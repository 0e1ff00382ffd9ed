/** Mutual exclusion for asynchronous code. */

/** Runs `act` once all earlier calls have settled, whether they succeeded or failed. */
export type Turn = <T>(act: () => Promise<T>) => Promise<T>;

/** Creates a mutex, whose turns come in the order of the calls. */
export function createMutex(): Turn {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const turn = last.then(act);
    last = turn.catch(() => {});
    return turn;
  };
}
