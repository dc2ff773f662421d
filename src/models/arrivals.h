/*-------------------------------------------------------------------------
 *
 * arrivals.h
 *		Arrivals of a Poisson process whose rate has a gamma distribution.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_ARRIVALS_H
#define SEGMENT_ARRIVALS_H

extern double arrivals_series_length(double size, double odds);
extern double arrivals_log_tail(double n, double size, double clock, double horizon);
extern double arrivals_log_until_death(double n, double size, double clock,
									   double shape, double death_clock,
									   double horizon);

#endif							/* SEGMENT_ARRIVALS_H */
