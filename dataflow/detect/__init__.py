"""Finds phone numbers and social handles given away in chat messages."""

from dataflow.detect.detector import DETECTOR_MAJOR_VERSION, Detector, Explanation
from dataflow.detect.split import Piece, SplitMemory

__all__ = ["DETECTOR_MAJOR_VERSION", "Detector", "Explanation", "Piece", "SplitMemory"]
