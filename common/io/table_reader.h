#ifndef BALANCEMOE_COMMON_IO_TABLE_READER_H_
#define BALANCEMOE_COMMON_IO_TABLE_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace balancemoe {

enum class TableFormat {
  // A header, then lines of cells; quotes as in RFC 4180, within one line.
  kCsv,
  // An object per line.
  kJsonLines,
};

// Reads a table of any columns row by row. Used from one thread.
//
// Errors of all calls: InvalidArgument as "FILE:LINE: what is wrong".
class TableReader {
 public:
  struct Options {
    // Of the file, for messages.
    std::string name;
    TableFormat format = TableFormat::kCsv;
    // Between the cells of CSV.
    char separator = ',';
  };

  // `text` must outlive the reader. Errors too: no header, or no first object.
  static absl::StatusOr<std::unique_ptr<TableReader>> Open(
      absl::string_view text, const Options& options);

  virtual ~TableReader() = default;

  // Names in the header, or in the first object.
  virtual const std::vector<std::string>& columns() const = 0;

  // Rows shall hold the cells of these columns, in this order. Errors too: a
  // column that does not exist.
  virtual absl::Status Select(const std::vector<std::string>& names) = 0;

  // Steps to the next row; false after the last. A row's cells are text: of
  // JSON, strings as they are and all else as JSON writes it.
  virtual absl::StatusOr<bool> Next(std::vector<std::string>& cells) = 0;

  // Of the row that Next gave.
  virtual int64_t line() const = 0;
};

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_IO_TABLE_READER_H_
