/**
 * Batteries for plugins: what every schedule, metric, callback, logger, optimizer, data set, store and queue must do.
 * @module
 */
export { callbackConformance } from "./callback.ts";
export { testDataset } from "./dataset.ts";
export { loggedEvents, loggerConformance } from "./logger.ts";
export { metricConformance } from "./metric.ts";
export { type OptimizerFigures, testOptimizer } from "./optimizer.ts";
export { type QueueUnderTest, testQueue } from "./queue.ts";
export { scheduleConformance } from "./schedule.ts";
export { testStore } from "./store.ts";
export { nodeTest, type Tester } from "./tester.ts";
