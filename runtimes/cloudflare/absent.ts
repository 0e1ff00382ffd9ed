/** An empty module, in place of modules that a Worker does not need. */
export {};
