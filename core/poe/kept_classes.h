// Classes of an earlier model in a training that keeps them and trains others
// beside them. Their products live in preprocessed units, so the new model has
// the data spec of the earlier one.
#ifndef POE_KEPT_CLASSES_H_
#define POE_KEPT_CLASSES_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "poe/interrupt_check.h"
#include "poe/model.h"
#include "poe/row_selection.h"
#include "poe/training.h"

namespace poe {

// The part of Validate(settings) that is about kept_classes, after class_names.
absl::Status ValidateKeptClasses(const TrainingSettings& settings);

// InvalidArgument unless `earlier` is there where settings.kept_classes are and
// only there, has the settings' data spec, and has classes of their names, with
// as many layers as those that are trained get; where all are kept, as each
// other. The settings must have passed Validate.
absl::Status ValidateKept(const TrainingSettings& settings,
                          const Model* earlier);

// A class of an earlier model as a new one begins with it: products and log Z,
// which is computed for those of `lengths` (ascending, {0} for dense rows) that
// lack it where that is exact and cheap. What rows told, percentiles and usual
// verdicts, is left out.
ClassModel KeepClass(const ClassModel& earlier, const DataSpec& spec,
                     absl::Span<const Index> lengths);

// Whether log Z of a class is there for all these lengths.
bool KnowsLogPartitions(const ClassModel& one, absl::Span<const Index> lengths);

// FailedPrecondition, naming the lengths, if a class as KeepClass gives it has
// log Z, but not for all of `lengths`, and there is no exact way to that of the
// shortest it lacks.
absl::Status CheckKeptLengths(const ClassModel& kept, const DataSpec& spec,
                              absl::Span<const Index> lengths);

// FailedPrecondition if none of all rows of a class that is trained beside kept
// ones lies in the support of its product, by the values that are observed;
// whatever `check` says, asked before each 1000 rows.
absl::Status CheckSomeInSupport(absl::string_view class_name,
                                const RowSelection& training,
                                const Product<float>& product,
                                const Workers& workers, InterruptCheck check);

// The differences of log Z between classes that are kept, by their new indices,
// where both have log Z for the length: others come with estimates of it
// (normalizers.h). The settings must have passed ValidateKept.
std::vector<ClassPartitionDifference> KeptDifferences(
    const TrainingSettings& settings, const Model& earlier);

}  // namespace poe

#endif  // POE_KEPT_CLASSES_H_
