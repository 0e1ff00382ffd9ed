/** The config file of a model. */

/** Name of the config file in a checkpoint's directory. */
export const MODEL_CONFIG = "config.json";
