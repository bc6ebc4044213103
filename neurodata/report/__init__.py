"""Pictures of samples and of training."""

from neurodata.report._frames import contact_sheet as contact_sheet
from neurodata.report._frames import paint as paint
from neurodata.report._frames import save_sample as save_sample
from neurodata.report._survey import Survey as Survey
from neurodata.report._survey import survey_recording as survey_recording
from neurodata.report._training import save_training_picture as save_training_picture
