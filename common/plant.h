/* plant.h - rules that the simulator takes out, one at a time, to see that it notices
 *
 * In a build with RV_PLANTED (make sim-planted) RV_PLANT(n) is true while bug number n is planted; everywhere else it is
 * the constant 0 and leaves nothing behind. docs/testing.md lists the numbers.
 */
#ifndef RV_PLANT_H
#define RV_PLANT_H

#ifdef RV_PLANTED
extern unsigned rv_planted;
#define RV_PLANT(n) (rv_planted == (n))
#else
#define RV_PLANT(n) 0
#endif

#endif
