/** In place of what a Worker has no use for. */
export {};
