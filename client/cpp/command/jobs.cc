// poe jobs
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cpp/client.h"
#include "client/cpp/command/commands.h"
#include "client/cpp/command/context.h"
#include "client/cpp/command/format.h"
#include "client/cpp/command/job_display.h"
#include "client/cpp/command/json.h"
#include "client/cpp/command/table.h"

namespace poe::client {
namespace {

struct JobsOptions {
  std::string model;
  std::string job;
  int64_t from_event = 1;
};

std::string FullName(const std::string& job) {
  return absl::StartsWith(job, "jobs/") ? job : absl::StrCat("jobs/", job);
}

std::string JobTable(const std::vector<v1::Job>& jobs) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"job"},
               {"model"},
               {"state"},
               {"done", kRight},
               {"rows", kRight},
               {"version", kRight},
               {"created"}});
  for (const v1::Job& job : jobs) {
    const bool succeeded = job.state() == v1::Job::STATE_SUCCEEDED;
    table.AddRow(
        {job.name(), job.model_name(), StateName(job.state()),
         absl::StrFormat("%.0f%%",
                         succeeded ? 100.0 : 100 * job.progress().fraction()),
         FormatCount(job.rows()),
         job.version() > 0 ? absl::StrCat(job.version()) : "-",
         FormatTime(job.created())});
  }
  return table.ToString();
}

absl::Status Print(const absl::StatusOr<v1::Job>& job, bool json) {
  if (!job.ok()) return job.status();
  if (json) return PrintJson(*job);
  std::cout << JobTable({*job});
  if (!job->error_message().empty()) std::cout << job->error_message() << "\n";
  return absl::OkStatus();
}

absl::Status ListJobs(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<std::vector<v1::Job>> jobs =
      (*client)->ListJobs(options.model, context.call_options());
  if (!jobs.ok()) return jobs.status();
  if (context.json) {
    v1::ListJobsResponse response;
    response.mutable_jobs()->Add(jobs->begin(), jobs->end());
    return PrintJson(response);
  }
  std::cout << JobTable(*jobs);
  return absl::OkStatus();
}

absl::Status ShowJob(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  return Print((*client)->GetJob(FullName(options.job), context.call_options()),
               context.json);
}

absl::Status Watch(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const std::string name = FullName(options.job);
  {
    JobDisplay display;
    const absl::Status status = (*client)->WatchJob(
        name, options.from_event,
        [&display](const v1::JobEvent& event) {
          display.Show(event);
          return absl::OkStatus();
        },
        context.call_options());
    if (!status.ok()) return status;
  }
  const absl::StatusOr<v1::Job> job =
      (*client)->GetJob(name, context.call_options());
  if (!job.ok()) return job.status();
  if (job->state() != v1::Job::STATE_SUCCEEDED) {
    return absl::AbortedError(Outcome(*job));
  }
  if (context.json) return PrintJson(*job);
  std::cout << Outcome(*job) << "\n";
  return absl::OkStatus();
}

absl::Status Cancel(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  return Print(
      (*client)->CancelJob(FullName(options.job), context.call_options()),
      context.json);
}

absl::Status Publish(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const absl::StatusOr<v1::Job> job = (*client)->PublishCheckpoint(
      FullName(options.job), context.call_options());
  if (!job.ok()) return job.status();
  if (context.json) return PrintJson(*job);
  std::cout << job->model_name() << " version " << job->version()
            << ": the checkpoint of update " << job->checkpoint().update()
            << ", with class "
            << absl::StrJoin(job->checkpoint().class_names(), ", ") << "\n";
  return absl::OkStatus();
}

absl::Status DeleteJob(const JobsOptions& options, Context& context) {
  const absl::StatusOr<Client*> client = context.Connect();
  if (!client.ok()) return client.status();
  const std::string name = FullName(options.job);
  const absl::Status status =
      (*client)->DeleteJob(name, context.call_options());
  if (!status.ok()) return status;
  if (context.json) {
    PrintJson(Json{{"deleted", name}});
  } else {
    std::cout << "deleted " << name << "\n";
  }
  return absl::OkStatus();
}

ManPage JobsPage() {
  return {.summary = "list training jobs, watch them, stop them",
          .synopsis = {"[--model NAME] [OPTION]...", "COMMAND JOB [OPTION]..."},
          .description =
              "Without a command, prints all training jobs that the server "
              "remembers, the newest first.",
          .examples = {"poe jobs", "poe jobs watch jobs/1f0c3a",
                       "poe jobs cancel jobs/1f0c3a"}};
}

}  // namespace

void AddJobsCommand(CLI::App& app, Context& context) {
  const auto options = std::make_shared<JobsOptions>();
  CLI::App* jobs =
      AddCommand(app, context, "jobs", JobsPage(),
                 [options, &context] { return ListJobs(*options, context); });
  jobs->require_subcommand(0, 1);
  jobs->add_option("--model", options->model, "Only those of this model.")
      ->type_name("NAME")
      ->group("Which jobs");
  const auto add = [&](const std::string& name, ManPage page, auto run) {
    page.synopsis = {"JOB [OPTION]..."};
    CLI::App* command =
        AddCommand(*jobs, context, name, std::move(page),
                   [run, options, &context] { return run(*options, context); });
    command
        ->add_option("JOB", options->job,
                     "Name of the job, with or without \"jobs/\".")
        ->required();
    return command;
  };
  add("show",
      {.summary = "print the state of a job",
       .synopsis = {},
       .description = "Prints the state of a job, and why it failed if so.",
       .examples = {"poe jobs show jobs/1f0c3a --json"}},
      ShowJob);
  CLI::App* watch =
      add("watch",
          {.summary = "follow a job until it ends",
           .synopsis = {},
           .description =
               "Shows the job's progress on standard error. Exits with 0 if it "
               "succeeds. Interrupting the command does not touch the job.",
           .examples = {"poe jobs watch jobs/1f0c3a"}},
          Watch);
  watch
      ->add_option("--from", options->from_event,
                   "Begin with this event, counted from 1.")
      ->type_name("N")
      ->check(Positive())
      ->capture_default_str()
      ->group("Events");
  add("cancel",
      {.summary = "stop a job",
       .synopsis = {},
       .description = "Asks the job to stop. Its model gets no new version.",
       .examples = {"poe jobs cancel jobs/1f0c3a"}},
      Cancel);
  add("publish",
      {.summary = "make the checkpoint of a failed job a version",
       .synopsis = {},
       .description =
           "A job whose parameters stop being finite fails, and the model as "
           "it was before is kept with the job: the classes trained until "
           "then, without separator and percentiles. This makes it the next "
           "version of its model.",
       .examples = {"poe jobs publish jobs/1f0c3a"}},
      Publish);
  add("delete",
      {.summary = "forget a job that has ended",
       .synopsis = {},
       .description = "Its model stays, a checkpoint that is no version goes.",
       .examples = {"poe jobs delete jobs/1f0c3a"}},
      DeleteJob);
}

}  // namespace poe::client
