/**
 * The Hugging Face hub, for plugins that read models or rows from it.
 * @module
 */
export { downloadFile, type HubProgress } from "./download.ts";
export { hubError } from "./errors.ts";
export { hubName } from "./name.ts";
export { isCommit, isOffline, listFiles, type RepositoryListing } from "./repository.ts";
export { hubClient } from "./request.ts";
