#include "common/planning/overlap_knapsack.h"

#include <algorithm>

namespace balancemoe {
namespace {

// The finest division of the capacity, and the largest table.
constexpr int64_t kMostUnits = 8192;
constexpr int64_t kMostCells = int64_t{1} << 20;

class Knapsack {
 public:
  Knapsack(absl::Span<const KnapsackItem> items, int64_t capacity)
      : items_(items),
        // Where all items fit anyway, their number is no dimension.
        most_items_(items.size() > kKnapsackItems ? kKnapsackItems : 0) {
    const auto rows = static_cast<int64_t>((items.size() + 1) * counts());
    const int64_t most_units = std::min(kMostUnits, kMostCells / rows);
    unit_ = (capacity + most_units - 1) / most_units;
    units_ = static_cast<size_t>(capacity / unit_);
    cells_.resize(static_cast<size_t>(rows) * (units_ + 1));
  }

  std::vector<bool> Choose() {
    for (size_t i = 1; i <= items_.size(); ++i) {
      for (size_t n = most_items_ > 0 ? 1 : 0; n < counts(); ++n) FillRow(i, n);
    }
    return TraceBack();
  }

 private:
  struct Cell {
    // Compute of the items taken, less transfers that nothing hides.
    double value_us = 0;
    // Compute that can still hide transfers.
    double hiding_us = 0;
  };

  // Rows per item: one, or one for each number of items that may be taken.
  size_t counts() const { return most_items_ + 1; }
  // One item less may be taken.
  size_t Less(size_t count) const { return most_items_ > 0 ? count - 1 : 0; }

  Cell& At(size_t item, size_t count, size_t units) {
    return cells_[(item * counts() + count) * (units_ + 1) + units];
  }

  // Rounded to the nearest, so that errors even out.
  size_t UnitsOf(const KnapsackItem& item) const {
    return static_cast<size_t>((item.tokens + unit_ / 2) / unit_);
  }

  // The best of the first `i` items, of which `count` may be taken. A bag
  // without capacity stays empty, even where items have no tokens.
  void FillRow(size_t i, size_t count) {
    const KnapsackItem& item = items_[i - 1];
    const size_t weight = UnitsOf(item);
    const bool own = item.transfer_us == 0;
    for (size_t units = 1; units <= units_; ++units) {
      Cell& cell = At(i, count, units);
      cell = At(i - 1, count, units);
      if (weight > units) continue;
      const Cell& rest = At(i - 1, Less(count), units - weight);
      const double spare_us = rest.hiding_us - item.transfer_us;
      const double value_us =
          item.compute_us + rest.value_us + std::min(0.0, spare_us);
      if (own ? value_us < cell.value_us : value_us <= cell.value_us) continue;
      cell = {value_us,
              own ? rest.hiding_us + item.compute_us : std::max(0.0, spare_us)};
    }
  }

  // As published: recomputes values backwards instead of remembering choices.
  // What a transfer was not hidden by cannot be recomputed, and sums of floats
  // may miss the cell that they came from.
  std::vector<bool> TraceBack() {
    std::vector<bool> taken(items_.size());
    size_t count = most_items_;
    size_t units = units_;
    auto [value_us, hiding_us] = At(items_.size(), count, units);
    for (size_t i = items_.size(); i > 0 && value_us > 0; --i) {
      const KnapsackItem& item = items_[i - 1];
      if (value_us == At(i - 1, count, units).value_us) continue;
      // The published code reads outside of its table here.
      if (UnitsOf(item) > units || (most_items_ > 0 && count == 0)) continue;
      taken[i - 1] = true;
      if (item.transfer_us == 0) {
        hiding_us -= item.compute_us;
        value_us -= item.compute_us;
      } else {
        hiding_us += item.transfer_us;
        value_us -=
            item.compute_us + std::min(0.0, hiding_us - item.transfer_us);
      }
      units -= UnitsOf(item);
      count = Less(count);
    }
    return taken;
  }

  const absl::Span<const KnapsackItem> items_;
  const size_t most_items_;
  // Tokens per unit of the table.
  int64_t unit_ = 1;
  size_t units_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace

std::vector<bool> ChooseItems(absl::Span<const KnapsackItem> items,
                              int64_t capacity) {
  return Knapsack(items, capacity).Choose();
}

}  // namespace balancemoe
