import { levels } from "./accelerator.ts";
import { gain } from "./adapter.ts";
import { outsider } from "./architecture.ts";
import { phrases } from "./data.ts";
import { trainedTensors } from "./exporter.ts";
import { lossLines } from "./logger.ts";
import { polyOne } from "./loss.ts";
import { confidence } from "./metric.ts";
import { signSgd } from "./optimizer.ts";
import { stairs } from "./schedule.ts";

export default [confidence, signSgd, polyOne, phrases, gain, lossLines, outsider, trainedTensors, stairs, levels];
