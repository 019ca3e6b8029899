#ifndef BALANCEMOE_COMMON_STATISTICS_H_
#define BALANCEMOE_COMMON_STATISTICS_H_

#include <vector>

namespace balancemoe {

// 0 for no values.
double Mean(const std::vector<double>& values);

// The smallest value that at least `fraction` of all values do not exceed; 0
// for no values.
double Quantile(std::vector<double> values, double fraction);

// The mean of the two middle values where their number is even.
double Median(std::vector<double> values);

}  // namespace balancemoe

#endif  // BALANCEMOE_COMMON_STATISTICS_H_
