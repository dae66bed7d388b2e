#ifndef GATEHOUSE_COMMIT
#define GATEHOUSE_COMMIT "unknown"
#endif
#define gatehouseCommit GATEHOUSE_COMMIT
