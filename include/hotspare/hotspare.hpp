#pragma once

/// hotspare: a process pool that a dying worker cannot break.
///
///     #include <hotspare/hotspare.hpp>
///     double decode(std::string path);
///     int main() {
///       hotspare::Pool pool({.workers = 4});
///       auto future = pool.submit(decode, "photo.raw");
///       try { use(future.get()); }
///       catch (const hotspare::WorkerDied& death) { std::cerr << death.report().text(); }
///     }

#include <hotspare/batch.hpp>
#include <hotspare/buffer.hpp>
#include <hotspare/chaos.hpp>
#include <hotspare/crash_report.hpp>
#include <hotspare/error.hpp>
#include <hotspare/event.hpp>
#include <hotspare/future.hpp>
#include <hotspare/health.hpp>
#include <hotspare/inherited.hpp>
#include <hotspare/journal.hpp>
#include <hotspare/map.hpp>
#include <hotspare/options.hpp>
#include <hotspare/pool.hpp>
#include <hotspare/serialize.hpp>
#include <hotspare/standby.hpp>
#include <hotspare/stats.hpp>
#include <hotspare/this_task.hpp>
#include <hotspare/version.hpp>
