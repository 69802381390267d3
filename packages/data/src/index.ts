/**
 * Tables of your own: reading, encoding, evaluating.
 *
 * @module @torte/data
 */
export { openCsv, openTsv, type CsvOptions } from "./csv.js";
export { joinClasses, joinLabels } from "./combine.js";
export { decodeImage, openImages, readyImages } from "./images.js";
export { openNpz } from "./npz.js";
export { openParquet, type ParquetOptions } from "./parquet.js";
export { FORMAT_NAMES, FORMATS, type FormatName, formatOf, type FormatOptions } from "./formats.js";
export { openTable, readTable, type ReadTableOptions } from "./read-table.js";
export { planTable, type PlanOptions, type TablePlan } from "./encode/plan.js";
export {
  TableEncoding,
  type EncodedInput,
  type EncodedRows,
  type EncodingDescription,
  type FitOptions,
  type RowProblem,
} from "./encode/encoding.js";
export { labelsOf, type TargetEncoding } from "./encode/target.js";
export {
  encodeTable,
  INVALID,
  SPLITS,
  type EncodedTable,
  type EncodeOptions,
  type InvalidPolicy,
  type SplitWay,
} from "./encode/encode-table.js";
export { defaultModel, LOSS_OF, type DefaultModelOptions } from "./models/default-model.js";
export { figuresOf, formOf, type Figure, type FigureOptions, type Told } from "./evaluate/figures.js";
export {
  CALIBRATIONS,
  calibrate,
  fitCalibration,
  type Calibration,
  type CalibrationMethod,
} from "./evaluate/calibration.js";
export {
  chooseDecision,
  chooseDecisions,
  chooseThreshold,
  readDecision,
  UNDECIDED,
  type Decision,
} from "./evaluate/decision.js";
export { Predictor, UNCERTAINTIES, type Outputs, type Prediction, type Uncertainty } from "./evaluate/predictor.js";
