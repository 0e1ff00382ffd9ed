/** The file that says what a model is. */

/** Its name in a checkpoint's directory. */
export const MODEL_CONFIG = "config.json";
