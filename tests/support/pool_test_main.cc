#include <hotspare/hotspare.hpp>

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  hotspare::init(argc, argv);  // with Start::exec this program is also the zygote
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
