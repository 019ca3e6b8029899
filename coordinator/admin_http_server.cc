#include "coordinator/admin_http_server.h"

#include <httplib.h>
#include <prometheus/text_serializer.h>
#include <pthread.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace balancemoe::coordinator {
namespace {

// Probes and one scraper at a time; more wait in the socket.
constexpr size_t kThreads = 2;
constexpr time_t kSlowestClientSeconds = 5;

constexpr char kPageTop[] =
    "<!doctype html><meta charset=utf-8><title>BalanceMoE coordinator</title>"
    "<style>body{font:1em sans-serif;margin:2em}td{padding:.2em 1em .2em 0}"
    "</style><h1>BalanceMoE coordinator</h1><table>";
constexpr char kPageBottom[] =
    "</table><p><a href=/metrics>metrics</a> &middot; <a href=/livez>livez</a> "
    "&middot; <a href=/readyz>readyz</a> &middot; "
    "<a href=/configz>configz</a></p>";

}  // namespace

absl::StatusOr<std::unique_ptr<AdminHttpServer>> AdminHttpServer::Start(
    const ListenAddress& address,
    std::vector<const prometheus::Collectable*> metrics, Pages pages) {
  std::unique_ptr<AdminHttpServer> started(
      new AdminHttpServer(std::move(metrics), std::move(pages)));
  started->AddPages();
  httplib::Server& server = *started->server_;
  started->address_ = address;
  bool bound = false;
  if (address.port == 0) {
    started->address_.port = server.bind_to_any_port(address.host);
    bound = started->address_.port > 0;
  } else {
    bound = server.bind_to_port(address.host, address.port);
  }
  if (!bound) {
    const absl::Status why = ProbeListen(address);
    return absl::UnavailableError(
        absl::StrCat("cannot listen at ", address.ToString(), ": ",
                     why.ok() ? "refused by the system" : why.message()));
  }
  started->thread_ = std::thread([&server] {
    pthread_setname_np(pthread_self(), "admin-http");
    server.listen_after_bind();
  });
  // Before that, stop() would have no effect.
  while (!server.is_running()) std::this_thread::yield();
  return started;
}

AdminHttpServer::AdminHttpServer(
    std::vector<const prometheus::Collectable*> metrics, Pages pages)
    : metrics_(std::move(metrics)),
      pages_(std::move(pages)),
      server_(std::make_unique<httplib::Server>()) {
  // The library's own choice is SO_REUSEPORT, with which a second coordinator
  // would take a share of the scrapes instead of an error.
  server_->set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  server_->new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server_->set_read_timeout(kSlowestClientSeconds);
  server_->set_write_timeout(kSlowestClientSeconds);
  server_->set_keep_alive_timeout(1);
}

AdminHttpServer::~AdminHttpServer() {
  if (!thread_.joinable()) return;
  server_->stop();
  thread_.join();
}

void AdminHttpServer::AddPages() {
  server_->Get(
      "/metrics", [this](const httplib::Request&, httplib::Response& response) {
        response.set_content(MetricsPage(), "text/plain; version=0.0.4");
      });
  server_->Get("/livez",
               [](const httplib::Request&, httplib::Response& response) {
                 response.set_content("ok\n", "text/plain");
               });
  server_->Get(
      "/readyz", [this](const httplib::Request&, httplib::Response& response) {
        const std::vector<std::string> reasons = pages_.not_ready();
        response.status = reasons.empty() ? 200 : 503;
        response.set_content(
            nlohmann::json{{"ready", reasons.empty()}, {"reasons", reasons}}
                    .dump() +
                "\n",
            "application/json");
      });
  server_->Get("/configz",
               [this](const httplib::Request&, httplib::Response& response) {
                 response.set_content(pages_.config, "text/plain");
               });
  for (const char* path : {"/", "/statusz"}) {
    server_->Get(path,
                 [this](const httplib::Request&, httplib::Response& response) {
                   response.set_content(StatusPage(), "text/html");
                 });
  }
}

std::string AdminHttpServer::MetricsPage() const {
  std::vector<prometheus::MetricFamily> families;
  for (const prometheus::Collectable* const source : metrics_) {
    for (prometheus::MetricFamily& family : source->Collect()) {
      // A family without series yet would be a heading without content.
      if (!family.metric.empty()) families.push_back(std::move(family));
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::string AdminHttpServer::StatusPage() const {
  std::string page = kPageTop;
  for (const auto& [name, value] : pages_.status()) {
    absl::StrAppend(&page, "<tr><td>", name, "<td>", value, "</tr>");
  }
  return page + kPageBottom;
}

}  // namespace balancemoe::coordinator
