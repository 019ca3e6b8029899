#ifndef BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_REPORT_H_
#define BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_REPORT_H_

#include <csignal>

namespace balancemoe::worker {

// Asks a process to say on stderr where each of its threads is, and to end.
inline constexpr int kReportSignal = SIGUSR1;

// Makes this process do so. What a hang in a library of others needs, where no
// debugger is at hand.
void ReportWhenAsked();

}  // namespace balancemoe::worker

#endif  // BALANCEMOE_WORKER_TRANSPORT_TESTING_REMOTE_REPORT_H_
