/* gpus.h - the NVIDIA GPUs of this machine, as programs name them
 *
 * The driver makes a device file per GPU, /dev/nvidia0 and so on. CUDA_VISIBLE_DEVICES of our own environment is a mask that somebody
 * above us set: what it does not name is not ours to hand out, and it is handed on word for word (a number, GPU-UUID, MIG-UUID).
 */
#ifndef RV_OS_GPUS_H
#define RV_OS_GPUS_H

#include "common/buf.h"

/* Appends their names, "0,1,2", and gives how many; 0: none. `dev`: "/dev". `mask`: CUDA_VISIBLE_DEVICES, NULL: not set. Of the mask
 * counts what stands before the first word that names nothing (-1, NoDevFiles, none), as CUDA itself reads it. */
uint32_t rv_gpus_find(const char *dev, const char *mask, struct rv_buf *out);

/* The names of a mask alone, whether there are such devices or not; the same. */
uint32_t rv_gpus_of_mask(const char *mask, struct rv_buf *out);

#endif
