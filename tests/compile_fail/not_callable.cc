#include <hotspare/hotspare.hpp>

void refused(hotspare::Pool& pool) { pool.submit(42, 1); }
