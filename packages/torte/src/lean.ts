/**
 * The library for pages that download no more than they use: everything that `torte` exports, but optimizers, losses and metrics are
 * given as functions, not by name, unless `torte/names` is imported, and models do not tell about themselves, unless
 * `torte/tools` is.
 *
 * @module torte/lean
 */
export { ops } from "./transforms/ops.js";
export * from "./transforms/index.js";
export { withOrigin } from "./graph/make.js";
export type { Node } from "./graph/node.js";
export { TorteError, ShapeError, OptionError, DataError, GraphError, MaskError, TrainingError } from "./errors.js";
// What packages beside this one say their errors with.
export { booleanOption, checkOptions, hintFor, numberIn, oneOf, positiveInteger, seedOption, show } from "./errors.js";
// What they draw their random numbers with.
export { bits as randomBits, hashName, mixKey, type Key as RandomKey } from "./tensor/random.js";
export { isRecord } from "./data/schema.js";
export { isNode } from "./host.js";
export { refuseTest } from "./data/sealed.js";
export { type BackendDiagnosis, describeBackend, diagnoseBackends } from "./backends/doctor.js";
export { configureEngine, type EngineOptions } from "./backends/wasm/start.js";
export type { Bytes, DType, HostDType, TypedArray } from "./tensor/dtype.js";
export {
  concatenate as concatenateTensors,
  Tensor,
  tensor,
  type NestedArray,
  type NestedNumbers,
  type NumberArray,
  type TensorOptions,
} from "./tensor/tensor.js";
export {
  Dataset,
  type BatchOptions as DatasetBatchOptions,
  type Columns,
  type EpochPlan,
  type Example,
  type NamedTensors,
  type Parts,
  type ShuffleOptions,
  type TensorOrList,
} from "./data/dataset.js";
export {
  StreamDataset,
  type BatchingOptions,
  type BucketOptions,
  type CacheOptions,
  type InterleaveOptions,
  type MapOptions,
  type PaddingOptions,
  type Streamed,
  type StreamShuffleOptions,
  type WindowOptions as DatasetWindowOptions,
} from "./data/stream-dataset.js";
export {
  augmentImages,
  augmentSequences,
  mixup,
  type Augmentation,
  type ImageAugmentationOptions,
  type MixupOptions,
  type Place,
  type SequenceAugmentationOptions,
} from "./data/augment.js";
export { split, type Split, type SplitOptions } from "./data/split.js";
export {
  LONGEST_LINE,
  readBytes,
  readLines,
  readStream,
  readText,
  streamName,
  type Lines,
  type StreamSource,
  type TextOptions,
} from "./data/stream.js";
export {
  checkColumns,
  collectTable,
  Picture,
  Table,
  type Cell,
  type RowBatch,
  type TableOptions,
  type TableReader,
  type TableStream,
} from "./data/table.js";
export { openFasta, readFasta, type FastaOptions, type FastaRecord, type FastaTableOptions } from "./data/fasta.js";
export { openJsonLines } from "./data/json-lines.js";
export {
  COLUMN_KINDS,
  columnKinds,
  inferKind,
  inferSequenceKind,
  inferTarget,
  isMissing,
  labelsIn,
  LETTERS,
  TARGET_KINDS,
  type ColumnKind,
  type TargetKind,
} from "./data/kinds.js";
export {
  clusterSequences,
  findSimilarPairs,
  kmerSets,
  type ClusterOptions,
  type KmerOptions,
  type KmerSets,
  type PairSearch,
} from "./data/kmers.js";
export { audit, Audit, type AuditOptions } from "./data/audit/audit.js";
export type { Baseline } from "./data/audit/baselines.js";
export type { ClassLength, ClassSize, Finding, FindingKind, Severity, Twins } from "./data/audit/findings.js";
export {
  bootstrap,
  kFold,
  parseRowSplit,
  splitRows,
  type BootstrapOptions,
  type Fold,
  type FoldOptions,
  type RowSplit,
  type RowSplitOptions,
} from "./data/row-split.js";
export { sealTest, SealedTest, type Opening } from "./data/sealed.js";
export {
  type CategoryLookup,
  categoryLookup,
  encoderFromJSON,
  minMaxScaler,
  padSequences,
  type Scaler,
  standardScaler,
  toCategorical,
  type Encoder,
  type EncoderDescription,
  type LookupOptions,
  type PadOptions,
} from "./data/encoders.js";
export {
  tokenizer,
  Tokenizer,
  type TokenizerDescription,
  type TokenizerOptions,
  type TokenUnit,
} from "./data/tokenizer.js";
export { loadNpy, loadNpz, parseNpy, parseNpz } from "./data/npy.js";
export { joinBytes, type Source } from "./data/source.js";
export { replaceFile, type FileContent } from "./data/write.js";
export { formatSafetensors, parseSafetensors, type Safetensors } from "./data/safetensors.js";
export { input, type InputOptions } from "./nn/network.js";
export { Report } from "./nn/inspect/report.js";
export { Explanation, type AxisExplanation, type LayerExplanation, type ReceptiveField } from "./nn/inspect/explain.js";
export { ModelSpace, type Chooser, type ModelSpaceOptions } from "./nn/inspect/model-space.js";
export { Hyperparameters, type Hyperparameter, type HyperparameterValue } from "./nn/inspect/hyperparameters.js";
export type { HyperparameterKind, Usual } from "./nn/inspect/hyperparameter-table.js";
export type { SummaryOptions } from "./nn/inspect/summary.js";
export {
  asFunction,
  Layer,
  type LayerDefinition,
  type LayerFunction,
  layerFunction,
  type Scope,
  type SymbolicTensor,
  type Traced,
} from "./nn/layer.js";
export { masked } from "./nn/masks.js";
export * from "./nn/layers/index.js";
export * as layers from "./nn/layers/index.js";
export * as initializers from "./nn/initializers.js";
export * as activations from "./nn/activations.js";
export * as regularizers from "./nn/regularizers.js";
export * as constraints from "./nn/constraints.js";
export { l1, l1l2, l2, l2Norm, type Regularizer } from "./nn/regularizers.js";
export { maxNorm, minMaxNorm, nonNeg, unitNorm, type Constraint } from "./nn/constraints.js";
export * from "./losses/index.js";
export { reduceLoss } from "./train/measure.js";
export * from "./metrics/index.js";
export * as metrics from "./metrics/all.js";
export * from "./optim/index.js";
export type { Callback, Logs, Progress, Stage, TrainingControl } from "./train/callbacks.js";
export type { Json } from "./train/json.js";
export { csvLog, type CsvLogOptions } from "./train/callbacks/csv-log.js";
export { earlyStopping, type EarlyStoppingOptions } from "./train/callbacks/early-stopping.js";
export { modelCheckpoint, type ModelCheckpointOptions } from "./train/callbacks/model-checkpoint.js";
export type { MonitorOptions } from "./train/callbacks/monitor.js";
export { progress, type ProgressOptions } from "./train/callbacks/progress.js";
export { reduceLROnPlateau, type ReduceLROnPlateauOptions } from "./train/callbacks/reduce-on-plateau.js";
export { tensorBoard, type TensorBoardOptions } from "./train/callbacks/tensorboard.js";
export { terminateOnNaN } from "./train/callbacks/terminate-on-nan.js";
export type { Verbosity } from "./train/callbacks/verbosity.js";
export { EventWriter, type EventWriterOptions } from "./train/tensorboard/writer.js";
export type { FitOptions } from "./train/fit-options.js";
export type { CheckpointInterval, CheckpointOptions } from "./train/checkpoint/options.js";
export type { ResumeOptions } from "./train/checkpoint/fit-checkpoints.js";
export type { Best, History } from "./train/history.js";
export type { Baseline as OutputBaseline } from "./train/baseline.js";
export type {
  DeadUnits,
  Diagnosis,
  Finding as DiagnosisFinding,
  FindingKind as DiagnosisKind,
} from "./train/diagnosis.js";
export { NotFiniteError, type NotFinite, type TensorStatistics } from "./train/not-finite.js";
export {
  learningRateRange,
  type LearningRateRange,
  type LearningRateRangeOptions,
} from "./train/learning-rate-range.js";
export { type GradientData, type GradientOptions, type Gradients } from "./train/gradients.js";
export type { PureFunction, PureOptions } from "./train/pure.js";
export { crossValidate, type CrossValidation, type CrossValidationOptions } from "./train/cross-validate.js";
export { saliency, type SaliencyOptions } from "./train/saliency.js";
export { loadModel, type LoadOptions } from "./train/load-model.js";
export type { Extras, ModelDescription, WeightReport } from "./train/saving.js";
export type { LayerFactory } from "./nn/serialize/registry.js";
export type {
  CallDescription,
  InputDescription,
  LayerDescription,
  NetworkDescription,
} from "./nn/serialize/description.js";
export { functional, sequential, type FunctionalOptions } from "./train/sequential.js";
export {
  Model,
  type AnyModel,
  type BatchStream,
  type ClassWeight,
  type CompileOptions,
  type Data,
  type EvaluateOptions,
  type LoadWeightsOptions,
  type ModelOptions,
  type Outputs,
  type PartsTuple,
  type PerOutput,
  type PredictData,
  type Rows,
  type SaveModelOptions,
  type SaveOptions,
  type TrainingProgress,
} from "./train/model.js";
export {
  checkGradients,
  GradientCheck,
  type CheckedEntry,
  type CheckedWeight,
  type GradientCheckData,
  type GradientCheckOptions,
} from "./checks/gradients.js";
export {
  checkEquivariance,
  EquivarianceCheck,
  type EquivarianceOptions,
  type EquivarianceVerdict,
  type LayerEquivariance,
} from "./checks/equivariance.js";
export { checkMask, MaskCheck, type LayerMask, type MaskCheckOptions } from "./checks/mask.js";
export {
  checkInitialLoss,
  checkShuffledLabels,
  checkZeroInput,
  overfitOneBatch,
  SanityCheck,
  type InitialLossOptions,
  type OneBatchOptions,
  type ShuffledLabelsOptions,
  type TrainedCheckOptions,
} from "./checks/sanity.js";
export {
  checkGradientFlow,
  GradientFlow,
  type GradientFlowOptions,
  type LayerGradient,
} from "./checks/gradient-flow.js";
