#include "work_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hotspare::audio {
namespace {

TEST(MessageQueue, IsBoundedAndInOrder) {
  MessageQueue queue(64);
  EXPECT_TRUE(queue.put("one", 3));
  EXPECT_TRUE(queue.put(nullptr, 0));
  EXPECT_TRUE(queue.put("three", 5));
  EXPECT_FALSE(queue.put("much too long for what is left", 30));
  std::vector<std::string> taken;
  queue.take_all(
      [&](std::uint32_t size, const void* data) { taken.emplace_back(static_cast<const char*>(data), size); });
  EXPECT_EQ(taken, (std::vector<std::string>{"one", "", "three"}));
  EXPECT_TRUE(queue.empty());
}

/// A plug-in's half: counts what is asked of it, in order.
struct Plugin {
  std::string log;
  LV2_Worker_Schedule* schedule = nullptr;

  static LV2_Worker_Status work(LV2_Handle self, LV2_Worker_Respond_Function respond, LV2_Worker_Respond_Handle handle,
                                std::uint32_t size, const void* data) {
    static_cast<Plugin*>(self)->log += "work ";
    return respond(handle, size, data);
  }
  static LV2_Worker_Status response(LV2_Handle self, std::uint32_t size, const void* data) {
    auto* plugin = static_cast<Plugin*>(self);
    const std::string text(static_cast<const char*>(data), size);
    plugin->log += "response:" + text + " ";
    if (text == "again") plugin->schedule->schedule_work(plugin->schedule->handle, 4, "more");
    if (text == "for ever") plugin->schedule->schedule_work(plugin->schedule->handle, size, data);
    return LV2_WORKER_SUCCESS;
  }
  static LV2_Worker_Status end_run(LV2_Handle self) {
    static_cast<Plugin*>(self)->log += "end";
    return LV2_WORKER_SUCCESS;
  }
};

TEST(WorkQueue, WorksAtOnceAndInOrder) {
  Plugin plugin;
  WorkQueue queue;
  const LV2_Worker_Interface interface { Plugin::work, Plugin::response, Plugin::end_run };
  plugin.schedule = queue.feature();
  const auto schedule = [&](const std::string& text) {
    return plugin.schedule->schedule_work(plugin.schedule->handle, static_cast<std::uint32_t>(text.size()),
                                          text.data());
  };
  EXPECT_EQ(schedule("early"), LV2_WORKER_SUCCESS);  // as a plug-in does within instantiate
  queue.attach(&plugin, &interface);
  EXPECT_EQ(schedule("again"), LV2_WORKER_SUCCESS);
  EXPECT_EQ(plugin.log, "");
  queue.end_run();
  EXPECT_EQ(plugin.log, "work work response:early response:again work response:more end");
  plugin.log.clear();
  queue.end_run();
  EXPECT_EQ(plugin.log, "end");
  EXPECT_EQ(schedule(std::string(1 << 20, 'x')), LV2_WORKER_ERR_NO_SPACE);
}

TEST(WorkQueue, EndsWithAPluginThatNeverDoes) {
  Plugin plugin;
  WorkQueue queue;
  const LV2_Worker_Interface interface { Plugin::work, Plugin::response, nullptr };
  plugin.schedule = queue.feature();
  queue.attach(&plugin, &interface);
  plugin.schedule->schedule_work(plugin.schedule->handle, 8, "for ever");
  queue.end_run();
  EXPECT_FALSE(plugin.log.empty());
}

}  // namespace
}  // namespace hotspare::audio
