#ifndef BALANCEMOE_TESTS_LAYERS_LAYER_RULES_H_
#define BALANCEMOE_TESTS_LAYERS_LAYER_RULES_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe {

// Who may include what: docs/layers.txt, read by people and by the layers test.
// The file itself says what its lines mean.
class LayerRules {
 public:
  // Errors: InvalidArgument, "FILE:LINE: what is wrong".
  static absl::StatusOr<LayerRules> Parse(absl::string_view text,
                                          absl::string_view file);

  // Checks one line of `path`, which is relative to the root of the repository.
  // Empty when it is no #include or an allowed one, else what is wrong.
  std::string Check(absl::string_view path, absl::string_view line) const;

  // The listed directory whose line holds for files in `directory`; empty when
  // there is none.
  std::string LineFor(absl::string_view directory) const;

  // Listed directories, sorted.
  std::vector<std::string> Directories() const;

 private:
  struct Layer {
    std::vector<std::string> ours;
    std::vector<std::string> third_party;
  };

  std::string CheckOurs(absl::string_view path, absl::string_view header) const;
  std::string CheckThirdParty(absl::string_view path,
                              absl::string_view header) const;

  std::map<std::string, Layer> layer_by_directory_;
};

// Every wrong #include of the .h, .cc and .cu files under common, coordinator,
// worker and tests, "FILE:LINE: what is wrong"; a directory without a line; a
// line without a directory. Sorted by file.
std::vector<std::string> CheckLayers(const std::filesystem::path& root,
                                     const LayerRules& rules);

// Every file that is too long: 400 lines for .h, .cc and .cu, 80 for
// CMakeLists.txt.
std::vector<std::string> CheckFileLengths(const std::filesystem::path& root);

}  // namespace balancemoe

#endif  // BALANCEMOE_TESTS_LAYERS_LAYER_RULES_H_
